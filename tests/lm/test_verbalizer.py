"""The two answers in tokens: taken from the tokenizer, whatever it makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lm.models import encoder_for, plain_log_odds, random_world, separate_prompts, tiny_base, tokenizer
from regraft.errors import ModelError
from regraft.lm.score import score_blocks
from regraft.lm.tokenize import token_ids
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.template import Template


def template(yes: str, no: str) -> Template:
    return Template(
        "{% block head %}V:{% endblock %}{% block event %}{{ item.title }}:{% endblock %}"
        f"{{% block yes %}}{yes}{{% endblock %}}{{% block no %}}{no}{{% endblock %}}",
        "two answers",
    )


def words(*known: str) -> PreTrainedTokenizerFast:
    """A tokenizer that knows whole words and nothing else."""
    fast = Tokenizer(models.WordLevel({"[unk]": 0, **{w: i + 1 for i, w in enumerate(known)}}, unk_token="[unk]"))
    fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=fast, unk_token="[unk]")


def test_answers_of_one_token_are_compared_as_they_are():
    answers = Verbalizer.of(words("good", "bad"), template("good", "bad"))
    assert answers == Verbalizer((), 1, 2, ((2,), (1,)))


def test_answers_of_several_tokens_are_compared_at_the_first_and_spoken_in_full():
    answers = Verbalizer.of(words("very", "good", "not", "at", "all"), template("very good", "not at all"))
    assert answers == Verbalizer((), 1, 3, ((3, 4, 5), (1, 2)))


def test_tokens_that_both_answers_begin_with_go_to_the_prompt():
    answers = Verbalizer.of(words("it", "was", "good", "bad"), template("it was good", "it was bad"))
    assert answers == Verbalizer((1, 2), 3, 4, ((4,), (3,)))


@pytest.mark.parametrize(("yes", "no"), [("Yes", "No"), (" Yes", " No"), (" Yes\n", " No\n"), ("ja", "nein")])
def test_nothing_is_lost_between_text_and_tokens(yes: str, no: str):
    answers = Verbalizer.of(tokenizer(), template(yes, no))
    for spoken, text in zip(answers.spoken, (no, yes), strict=True):
        assert tokenizer().decode([*answers.shared, *spoken]) == text
    assert answers.yes == answers.spoken[1][0] != answers.no == answers.spoken[0][0]


def test_a_leading_space_makes_another_answer():
    spaced, bare = (Verbalizer.of(tokenizer(), template(y, n)) for y, n in ((" Yes", " No"), ("Yes", "No")))
    assert (spaced.yes, spaced.no) != (bare.yes, bare.no)


def test_shared_tokens_stand_at_the_end_of_every_prompt_and_scores_stay_exact():
    base = tiny_base()
    encoder = encoder_for(base.tokenizer, template(" it was Yes", " it was No"))
    assert encoder.answers.shared
    view = random_world(2)
    scores = score_blocks(base, encoder.answers, encoder.encode(view))
    prompts = separate_prompts(view, encoder)
    assert {tuple(p[-len(encoder.answers.shared) :]) for p in prompts} == {encoder.answers.shared}
    alone = plain_log_odds(base.model, prompts, encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(scores, alone, atol=1e-4)


def test_an_answer_that_begins_with_the_other_is_refused():
    with pytest.raises(ModelError) as error:
        Verbalizer.of(words("good", "bad"), template("good", "good bad"))
    assert str(error.value) == (
        "template 'two answers': the answers 'good' and 'good bad' are the tokens [1] and [1, 2]: "
        "one begins with the other\n"
        "Expected two answers that this tokenizer tells apart\n"
        "Change the blocks 'yes' and 'no' of the template"
    )


def test_answers_that_are_one_and_the_same_to_the_tokenizer_are_refused():
    deaf = words("good")
    deaf.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(ModelError) as error:
        Verbalizer.of(deaf, template("Good", "good"))
    assert str(error.value).splitlines()[0] == (
        "template 'two answers': the answers 'Good' and 'good' are the tokens [1] and [1]: they are the same"
    )


@pytest.mark.parametrize(("yes", "no"), [("good", "schlecht"), ("gut", "bad"), ("gut", "schlecht")])
def test_an_answer_that_the_tokenizer_does_not_know_is_refused(yes: str, no: str):
    with pytest.raises(ModelError) as error:
        Verbalizer.of(words("good", "bad"), template(yes, no))
    assert str(error.value) == (
        f"template 'two answers': this tokenizer does not know {yes!r} or {no!r} (unknown token 0)\n"
        "Expected answers the base model can write\n"
        "Change the blocks 'yes' and 'no' of the template"
    )


def test_text_is_split_where_it_spells_a_special_token():
    special = tokenizer().eos_token_id
    assert tokenizer()(tokenizer().eos_token, add_special_tokens=False)["input_ids"] == [special]
    ids = token_ids(tokenizer(), f"a {tokenizer().eos_token} b")
    assert special not in ids
    assert tokenizer().decode(ids) == f"a {tokenizer().eos_token} b"


def test_no_text_is_no_token():
    assert token_ids(tokenizer(), "") == []
