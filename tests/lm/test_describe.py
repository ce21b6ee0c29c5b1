"""What is said of a base model, against counts made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lm.models import TIMELINE, encoder_for, event_ids, fact_texts, random_world, saved_base, tiny_base
from regraft.lm.describe import describe, proposed
from regraft.lm.token_view import tokens_per_event
from regraft.lm.tokenize import token_ids
from regraft.prompts.template import Template


@pytest.mark.parametrize(("layers", "top"), [(8, 2), (10, 3), (12, 3), (30, 8), (32, 8)])
def test_a_quarter_of_the_layers_is_proposed_for_adaptation(layers: int, top: int):
    assert proposed(layers) == f"top({top}) of {layers} layers"


def test_all_of_few_layers_are_proposed():
    assert proposed(7) == "all 7 layers"


def test_without_a_log_kept_states_are_told_per_token_alone(tmp_path: Path):
    told = describe(saved_base(tmp_path / "base"), TIMELINE, "fp32")
    assert told["proposed adaptation"] == "all 4 layers"
    assert told["kept trunk states per token"] == 32 * 4
    assert told["KV cache per token"] == 2 * 4 * 2 * 8 * 4  # keys and values, layers, heads, width, bytes
    assert not any("per event" in name for name in told)


def test_with_a_count_kept_states_are_told_per_event(tmp_path: Path):
    told = describe(saved_base(tmp_path / "base"), TIMELINE, "bf16", lambda base: 12.345)
    assert (told["tokens per event"], told["kept trunk states per event"]) == (12.3, round(12.345 * 32 * 2))


def test_answers_that_look_alike_are_told_and_nothing_is_counted(tmp_path: Path):
    alike = Template(
        "{% block head %}Verdicts:{% endblock %}{% block event %}{{ item.title }}:{% endblock %}"
        "{% block yes %} No{% endblock %}{% block no %} No No{% endblock %}",
        "alike",
    )
    told = describe(saved_base(tmp_path / "base"), alike, "fp32", lambda base: pytest.fail("counted"))
    assert told["answers"].startswith("cannot be used: the answers ' No' and ' No No' are the tokens ")
    assert told["answers"].endswith("one begins with the other")


@pytest.mark.parametrize("name", ["judge-timeline", "judge-timeline-facts"])
def test_tokens_per_event_are_those_of_an_event_and_its_answer(name: str):
    view, encoder = random_world(2), encoder_for(tiny_base().tokenizer, Template.load(name))
    facts = fact_texts(view, encoder)
    counts = []
    for row in view.targets:
        answer = encoder.template.yes if view.label[row] else encoder.template.no
        counts.append(len(event_ids(view, int(row), encoder, facts)) + len(token_ids(encoder.tokenizer, answer)))
    assert tokens_per_event(encoder, view) == pytest.approx(np.mean(counts))


def test_a_prompt_of_its_own_is_counted_whole():
    view, encoder = random_world(2), encoder_for(tiny_base().tokenizer, Template.load("judge-tallrec"))
    assert tokens_per_event(encoder, view) == encoder.encode(view).tokens.lengths.mean()
