"""What the model reads is what preview and export show: ids of joined pieces decode to the text, after one opening."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm.models import REGIMES, encoder_for, tokenizer
from lm.small_tokenizers import EXACT, PREFIXED, SPECIAL, small_tokenizer
from regraft.lm.encode import Encoder
from regraft.lm.token_view import lengths
from regraft.lm.tokenize import adds_blank, opening_ids, text_of, token_ids
from regraft.prompts.preview import Prompts
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape
from worlds import tiny_stream

# Any character but surrogates and the mark that stands for a blank inside SentencePiece.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="▁")
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=12),
    st.text("x Yes\n", max_size=10),  # blanks in front, doubled and behind; letters that merge
    st.sampled_from([" Yes\n", " No\n", "  two  blanks ", *SPECIAL, "a </s> b", "<0x0A>", "夜 film", "\t", "\n\n"]),
)
LIBRARY = ["judge-timeline", "judge-timeline-facts", "judge-tallrec"]
KINDS = [*EXACT, "stories260K"]
WITH_AND_WITHOUT = pytest.mark.parametrize("bos", [True, False], ids=["with a first token", "without"])


def decoded(kind: str, ids: list[int], bos: bool = True) -> str:
    """The text of a prompt's ids. Byte-level tokenizers that put a blank before a text keep it when they decode."""
    text = small_tokenizer(kind, bos).decode(ids, skip_special_tokens=True)
    return text.removeprefix(" ") if kind == "byte-level with a blank" else text


@WITH_AND_WITHOUT
@pytest.mark.parametrize("kind", KINDS)
@given(pieces=st.lists(TEXTS, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_joined_pieces_decode_to_the_joined_text(kind: str, bos: bool, pieces: list[str]):
    tokens = small_tokenizer(kind, bos)
    ids = [*opening_ids(tokens, pieces[0])]
    for piece in pieces[1:]:
        ids += token_ids(tokens, piece)
    assert decoded(kind, ids, bos) == "".join(pieces)
    assert not set(tokens.all_special_ids) & set(ids[1:])  # the first token stands in front alone


@WITH_AND_WITHOUT
@pytest.mark.parametrize("kind", [*KINDS, "word pieces"])
@given(text=TEXTS.filter(lambda text: text and not text[0].isspace() and "<" not in text))
@settings(max_examples=60, deadline=None)
def test_a_prompt_begins_as_the_tokenizer_begins_a_text(kind: str, bos: bool, text: str):
    tokens = small_tokenizer(kind, bos)
    if kind == "words and metaspace":  # it drops line breaks and doubled blanks
        text = text.split()[0]
    theirs = tokens(text, split_special_tokens=True)["input_ids"]
    theirs = theirs[:-1] if bos and kind != "stories260K" else theirs
    assert opening_ids(tokens, text) == theirs
    assert (theirs[0] == tokens.bos_token_id) == (bos or kind == "stories260K")


@pytest.mark.parametrize("kind", [*PREFIXED, "byte-level with a blank", "stories260K"])
def test_a_later_piece_gets_no_blank_of_its_own(kind: str):
    tokens = small_tokenizer(kind)
    assert adds_blank(tokens)
    assert text_of(tokens, token_ids(tokens, "Yes")) == "Yes"
    assert text_of(tokens, token_ids(tokens, " Yes")) == " Yes"
    assert len(token_ids(tokens, " Yes")) <= len(token_ids(tokens, "Yes")) + 1


@pytest.mark.parametrize("kind", ["byte-level", "metaspace never"])
def test_a_tokenizer_that_adds_no_blank_is_used_as_it_is(kind: str):
    tokens = small_tokenizer(kind)
    assert not adds_blank(tokens)
    assert token_ids(tokens, " Yes") == tokens(" Yes", add_special_tokens=False)["input_ids"]


def test_a_base_built_here_has_no_first_token():
    assert opening_ids(tokenizer()) == []
    assert opening_ids(tokenizer(), "Verdicts:") == token_ids(tokenizer(), "Verdicts:")


def test_word_pieces_of_whole_words_are_those_of_the_text():
    tokens = small_tokenizer("word pieces")
    ids = [*opening_ids(tokens, "Verdicts:"), *token_ids(tokens, " heat up"), *token_ids(tokens, " Yes\n")]
    assert ids == tokens("Verdicts: heat up Yes")["input_ids"][:-1]


@pytest.mark.parametrize("regime", REGIMES, ids=str)
@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("kind", [*KINDS, "nano"])
def test_every_block_decodes_to_the_text_that_preview_shows(kind: str, name: str, regime: object):
    titles = {"heat": "Heat  (1995)", "up": "</s> Up", "it": "千と千尋 🎬", "no": " No "}
    view = tiny_stream("ann:heat+@1 ann:up-@2 bob:heat+@2 bob:up+@3 ann:it-@3 ann:no+@3", titles=titles)
    tokens = tokenizer() if kind == "nano" else small_tokenizer(kind)
    template, shape = Template.load(name), Shape(2, 3)
    encoder = encoder_for(tokens, template, regime, shape, item_tokens=512)
    prompts = Prompts(view, template, regime, shape)
    for example in range(len(view)):
        ids = read(encoder, view, example)
        text = tokens.decode(ids) if kind == "nano" else decoded(kind, ids)
        assert text == prompts.preview(example).text + text_of(tokens, encoder.answers.shared)
        assert ids[: len(opening_ids(tokens))] == opening_ids(tokens)


@pytest.mark.parametrize("kind", ["prepend", "byte-level"])
def test_a_timeline_without_a_head_begins_with_the_first_token_too(kind: str):
    bare = Template(
        "{% block head %}{% endblock %}{% block event %}{{ item.title }}:{% endblock %}"
        "{% block yes %} Yes\n{% endblock %}{% block no %} No\n{% endblock %}",
        "bare",
    )
    view, tokens = tiny_stream("ann:heat+@1 ann:up-@2"), small_tokenizer(kind)
    ids = read(encoder_for(tokens, bare), view, 1)
    assert ids[0] == tokens.bos_token_id
    assert decoded(kind, ids) == "heat: Yes\nup:"


def test_the_first_token_takes_a_position_and_counts_in_every_length():
    view, template = tiny_stream("ann:heat+@1 ann:up-@2"), Template.load("judge-timeline")
    with_first, without = (encoder_for(small_tokenizer("byte-level", bos), template) for bos in (True, False))
    longer, shorter = (encoder.encode(view) for encoder in (with_first, without))
    assert (longer.tokens.lengths == shorter.tokens.lengths + 1).all()
    assert (longer.position[0], longer.tokens.data[0]) == (0, with_first.tokenizer.bos_token_id)
    assert longer.position.max() == shorter.position.max() + 1
    blocks, bounds = ({n.part: n.longest for n in lengths(e, view)} for e in (with_first, without))
    assert {part: blocks[part] - bounds[part] for part in blocks if "block" in part} == {"block": 1, "any block": 1}


def read(encoder: Encoder, view: object, example: int) -> list[int]:
    """The tokens that are read for one example, the last one being where its verdict is read."""
    blocks = encoder.encode(view.only(np.array([example])))
    return blocks.tokens[0][: int(blocks.read[0]) + 1].tolist()
