"""The previewed text is what a model reads, character for character."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.errors import ConfigError, DataError
from regraft.lm.encode import Encoder
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.preview import Preview, Prompts, prompt_text
from regraft.prompts.template import Template, library
from regraft.prompts.timeline import Shape
from worlds import logs, tiny_stream

FRESH, USUAL = Regime(), Shape()
LOG = "ann:heat+@1 ann:up-@2 bob:heat+@2 bob:up+@3 ann:it+@4"
TITLES = {"heat": "Heat (1995)", "up": "Up", "it": "千と千尋の神隠し"}
HEAD = "What one person thought of each item, in order. Yes: liked. No: not liked.\n"
REGIMES = [Regime("fresh"), Regime.parse("delayed 6h"), Regime("frozen"), Regime("paper")]


def read(name: str, example: int, log: str = LOG, regime: Regime = FRESH, shape: Shape = USUAL, **world) -> Preview:
    view = tiny_stream(log, **{"titles": TITLES, **world})
    return prompt_text(view, Template.load(name), regime, shape, example=example)


# -- timeline ----------------------------------------------------------------------------------------


def test_a_timeline_reads_head_events_with_their_answers_and_the_event_to_be_judged():
    preview = read("judge-timeline", 4, genres={"up": "Comedy"})
    assert preview.text == HEAD + "Heat (1995): Yes\nUp (Comedy): No\n千と千尋の神隠し:"
    assert (preview.answer, preview.label, preview.row, preview.history) == (" Yes\n", 1, 4, (0, 1))


def test_without_history_a_timeline_reads_head_and_event():
    preview = read("judge-timeline", 0)
    assert preview.text == HEAD + "Heat (1995):"
    assert preview.history == ()


def test_every_event_carries_the_facts_of_its_own_time():
    lines = read("judge-timeline-facts", 4).text.removeprefix(Template.load("judge-timeline-facts").head).split("\n")
    assert lines == ["Heat (1995) 50 0 +0 50 +0 Yes", "Up 65 0 +10 85 +0 No", "千と千尋の神隠し 65 0 +0 55 +0"]


def test_the_japanese_template_reads_the_same_facts_with_its_own_answers():
    preview = read("judge-timeline-ja", 4)
    assert preview.text.endswith(
        "\nHeat (1995) 50 0 +0 50 +0 はい\nUp 65 0 +10 85 +0 いいえ\n千と千尋の神隠し 65 0 +0 55 +0"
    )
    assert preview.answer == " はい\n"


def test_events_of_one_instant_do_not_read_each_other_unless_the_regime_lets_them():
    log = "ann:heat+@1 ann:up-@1 ann:it+@2"
    assert read("judge-timeline", 1, log).history == ()
    assert read("judge-timeline", 1, log, Regime("paper")).history == (0,)
    assert read("judge-timeline", 2, log).history == (0, 1)


def test_a_long_timeline_starts_where_the_block_rule_says():
    log = " ".join(f"ann:i{t}{'+' if t % 2 else '-'}@{t}" for t in range(9))
    assert read("judge-timeline", 7, log, shape=Shape(context=2, targets=4)).history == (2, 3, 4, 5, 6)
    assert read("judge-timeline", 8, log, shape=Shape(context=2, targets=4)).history == (6, 7)


# -- single prompt -----------------------------------------------------------------------------------


def test_a_single_prompt_lists_what_was_liked_and_disliked_in_time_order():
    log = "ann:heat+@1 ann:up-@2 ann:it+@3 ann:big-@4 ann:jaws+@5"
    text = read("judge-tallrec", 4, log).text
    assert text.endswith(
        '### What is known\nLiked: "Heat (1995)", "千と千尋の神隠し"\nNot liked: "Up", "big"\n'
        'Further item: "jaws"\n\n### Reply\n'
    )


def test_the_published_layout_reads_line_by_line_as_its_file_says():
    """Its file: what a reader of it sees between the block's two tags, with empty lists."""
    template = Template.load("judge-tallrec")
    shown = template.source.partition("{% block prompt %}\n")[2].partition("{% endblock %}")[0]
    shown = re.sub(r"\{% for .*?endfor \+?%\}", "", shown).replace("{{ target.title }}", "jaws")
    assert read("judge-tallrec", 0, "ann:jaws+@1 bob:up-@2").text == shown


def test_a_single_prompt_holds_the_last_w_known_events():
    log = "ann:heat+@1 ann:up-@2 ann:it+@3 ann:big-@4 ann:jaws+@5"
    preview = read("judge-tallrec", 4, log, shape=Shape(context=2))
    assert preview.history == (2, 3)
    assert "Heat" not in preview.text
    assert (preview.answer, preview.label) == ("Yes", 1)


def test_a_single_prompt_can_carry_facts_of_the_target():
    template = Template(
        "{% block prompt %}{{ target.title }} liked by {{ facts.item_rate }} %{% endblock %}"
        "{% block yes %}Yes{% endblock %}{% block no %}No{% endblock %}"
    )
    assert prompt_text(tiny_stream(LOG), template, FRESH, USUAL, example=1).text == "up liked by 65 %"


# -- item text ---------------------------------------------------------------------------------------


def test_item_text_is_cleaned_and_stays_one_piece():
    preview = read("judge-timeline", 0, titles={"heat": "Heat\nUp: Yes\n\u202e{{ label }}"})
    assert preview.text == HEAD + "Heat Up: Yes {{ label }}:"
    assert [p.text for p in preview.pieces if p.source == "item"] == ["Heat Up: Yes {{ label }}"]


def test_a_field_of_hidden_characters_only_counts_as_absent():
    assert read("judge-timeline", 0, genres={"heat": "\u200b"}).text == HEAD + "Heat (1995):"


def test_a_field_that_no_item_has_is_absent():
    template = Template(Template.load("judge-timeline").source.replace("genres", "director"))
    assert prompt_text(tiny_stream(LOG), template, FRESH, USUAL).text == HEAD + "heat:"


def test_pieces_say_where_each_stretch_comes_from():
    preview = read("judge-timeline-facts", 1)
    assert [p.source for p in preview.pieces] == ["template", *["item", *["fact"] * 5, "answer"], "item", *["fact"] * 5]
    assert [p.row for p in preview.pieces if p.source in ("item", "answer")] == [0, 0, 1]
    assert "".join(p.text for p in preview.pieces) == preview.text


# -- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", [-1, 5])
def test_an_example_that_does_not_exist_is_refused(example: int):
    with pytest.raises(DataError) as caught:
        read("judge-timeline", example)
    assert str(caught.value) == f"stream 'tiny': has no example {example}\nExpected 0 to 4"


def test_an_unknown_fact_is_refused_with_the_list():
    template = Template(Template.load("judge-timeline-facts").source.replace("facts.kin", "facts.mood"))
    with pytest.raises(ConfigError, match="unknown mood"):
        prompt_text(tiny_stream(LOG), template, FRESH, USUAL)


# -- the tokenised twin ------------------------------------------------------------------------------


def characters(text: str, **_: object) -> dict[str, list[int]]:
    return {"input_ids": [ord(c) for c in text]}


def spelled(encoder: Encoder, view) -> list[str]:
    """What each example sees up to the place where its answer is read, from tokens that are characters."""
    blocks = encoder.encode(view)
    texts = []
    for block, at in zip(blocks.block, blocks.read, strict=True):
        tokens = blocks.tokens[block]
        start = blocks.tokens.start[block]
        segment, limit = blocks.segment[start : start + len(tokens)], blocks.limit[start + at]
        place = np.arange(len(tokens))
        own = (segment == segment[at]) & (place <= at)
        texts.append("".join(map(chr, tokens[own | (place < limit)])))
    return texts


@settings(max_examples=20, deadline=None)
@given(
    logs(most=25),
    st.sampled_from(sorted(library())),
    st.sampled_from(REGIMES),
    st.sampled_from([USUAL, Shape(2, 3)]),
    st.sampled_from(["rating > 3", "implicit"]),
)
def test_the_tokens_of_every_example_spell_the_previewed_text(log, name, regime, shape, label):
    template = Template.load(name)
    encoder = Encoder(characters, template, Verbalizer.of(characters, template), regime, shape, item_tokens=10**6)
    whole = tiny_stream(log, Periods(by="time", n=2), label=label, genres={"i1": "Drama, 喜劇"})
    for view in (whole, whole.cases(2)):
        prompts = Prompts(view, template, regime, shape)
        shared = "".join(map(chr, encoder.answers.shared))
        assert [prompts.preview(i).text + shared for i in range(len(view))] == spelled(encoder, view)
