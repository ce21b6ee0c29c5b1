"""stories260K: a language model that regraft did not make, through the whole room."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM

from lm.models import REGIMES, encoder_for, plain_log_odds, random_world, separate_prompts, stories
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.lm.adapter import Adapter
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.workshop import Workshop
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

VIEW = random_world(3, events=30, periods=Periods(by="time", n=3, warm_up=0.2))
TEMPLATE = Template.load("judge-timeline")


@lru_cache
def base() -> BaseModel:
    return BaseModel.load(stories())


@pytest.mark.parametrize("regime", REGIMES, ids=str)
def test_blocks_score_like_separate_prompts(regime: Regime):
    encoder = encoder_for(base().tokenizer, TEMPLATE, regime, Shape(2, 3), longest=base().longest)
    expected = plain_log_odds(base().model, separate_prompts(VIEW, encoder), encoder.answers.yes, encoder.answers.no)
    blocks = encoder.encode(VIEW)
    for left in (False, True):
        np.testing.assert_allclose(score_blocks(base(), encoder.answers, blocks, left=left), expected, atol=1e-4)
    assert expected.std() > 0.01


def test_answers_of_several_tokens_are_told_apart_and_spoken_in_full():
    answers = encoder_for(base().tokenizer, TEMPLATE).answers
    assert answers.yes != answers.no
    assert min(len(spoken) for spoken in answers.spoken) > 1


def test_single_prompts_are_scored_too():
    encoder = encoder_for(base().tokenizer, Template.load("judge-tallrec"), shape=Shape(2, 3), longest=base().longest)
    blocks = encoder.encode(VIEW)
    prompts = [blocks.tokens[n].tolist() for n in range(len(blocks))]
    expected = plain_log_odds(base().model, prompts, encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(score_blocks(base(), encoder.answers, blocks), expected, atol=1e-4)


def test_fit_score_save_load_and_merge(tmp_path: Path):
    encoder = encoder_for(base().tokenizer, TEMPLATE, shape=Shape(2, 3), longest=base().longest)
    lab = ModelLab(
        Workshop(base(), encoder, AdapterOptions(rank=4, adapt=2), FitOptions(targets_per_step=10, epochs=2))
    )
    adapter = lab.fit(VIEW)
    trained = lab.score(Blend.of(adapter), VIEW)
    assert np.abs(trained - lab.score(Blend.of(None), VIEW)).max() > 0.05
    folder = adapter.save(tmp_path / "adapter", str(stories()))
    again = Adapter.load(folder, {"base": base().hash, "template": TEMPLATE.hash})
    assert again.hash == adapter.hash
    merged = lab.merge([(adapter, 0.5), (again, 0.5)])
    np.testing.assert_allclose(lab.score(Blend.of(merged), VIEW), trained, atol=1e-4)
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(stories()).eval(), folder)
    theirs = plain_log_odds(peft, separate_prompts(VIEW, encoder), encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(trained, theirs, atol=1e-4)
