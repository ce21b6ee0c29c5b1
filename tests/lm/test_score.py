"""Scores of blocks are the scores of separate prompts, on every model family and under every regime."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from lm.models import (
    FAMILIES,
    REGIMES,
    WINDOW,
    candidates,
    encoder_for,
    plain_log_odds,
    random_world,
    separate_prompts,
    tiny_base,
    tiny_model,
    tokenizer,
    wide,
)
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm import encode
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Encoder
from regraft.lm.graft import Grafts
from regraft.lm.score import score_blocks
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape, lay_out

base_of = lru_cache(tiny_base)
THREE = Periods(by="time", n=3, warm_up=0.2)


def scored(base: BaseModel, encoder: Encoder, view: Stream, **more: object) -> np.ndarray:
    return score_blocks(base, encoder.answers, encoder.encode(view), **more)  # type: ignore[arg-type]


def alone(base: BaseModel, encoder: Encoder, view: Stream) -> np.ndarray:
    return plain_log_odds(base.model, separate_prompts(view, encoder), encoder.answers.yes, encoder.answers.no)


@pytest.mark.parametrize("regime", REGIMES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_block_scores_like_separate_prompts(family: str, regime: Regime):
    view, base = random_world(1, users=2, periods=THREE), base_of(family)
    encoder = encoder_for(base.tokenizer, regime=regime)
    expected = alone(base, encoder, view)
    np.testing.assert_allclose(scored(base, encoder, view), expected, atol=1e-4)
    copies = ~lay_out(view, regime, encoder.shape).in_line
    assert copies.any() == (regime.name != "paper")
    assert expected.std() > 0.5
    assert max(len(p) for p in separate_prompts(view, encoder)) > 4 * WINDOW


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_on_the_left_and_any_batch_size_change_nothing(family: str):
    view, base = random_world(1, users=2), base_of(family)
    encoder = encoder_for(base.tokenizer)
    right = scored(base, encoder, view)
    np.testing.assert_allclose(scored(base, encoder, view, left=True), right, atol=1e-4)
    for size in (1, 200, 10**6):
        np.testing.assert_allclose(scored(base, encoder, view, max_tokens=size), right, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_candidates_score_like_separate_prompts(family: str):
    view, base = candidates(each=8), base_of(family)
    encoder = encoder_for(base.tokenizer, shape=Shape(4, 6))
    assert len(view) > 60
    np.testing.assert_allclose(scored(base, encoder, view), alone(base, encoder, view), atol=1e-4)


def test_candidates_in_many_small_chunks_score_like_candidates_in_one(monkeypatch: pytest.MonkeyPatch):
    view, base = candidates(each=8), base_of("gemma3")
    encoder = encoder_for(base.tokenizer, shape=Shape(4, 6))
    whole = scored(base, encoder, view)
    monkeypatch.setattr(encode, "ISOLATED_TOKENS", 16)
    assert len(encoder.encode(view)) > 20
    np.testing.assert_allclose(scored(base, encoder, view), whole, atol=1e-4)


@pytest.mark.parametrize("regime", REGIMES, ids=str)
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_flipping_a_verdict_moves_no_bit_of_a_target_that_may_not_see_it(family: str, regime: Regime):
    view, base = random_world(1, users=2, periods=THREE), base_of(family)
    encoder = encoder_for(base.tokenizer, regime=regime)
    before, p = scored(base, encoder, view), lay_out(view, regime, encoder.shape)
    changed = 0
    for row in (2, 9, 17, len(view.time) - 1):
        label = view.label.copy()
        label[row] = 1 - label[row]
        after = scored(base, encoder, replace(view, label=label))
        number = view.order.index[row]
        sees = (p.user == view.user[row]) & (p.start <= number) & (number < p.known)
        assert (after[~sees] == before[~sees]).all()
        changed += int((after[sees] != before[sees]).sum())
    assert changed > 3


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_published_single_prompts_score_like_the_model_itself(family: str):
    view, base = random_world(4, events=20), base_of(family)
    encoder = encoder_for(base.tokenizer, Template.load("judge-tallrec"))
    prompts = [t.tolist() for t in map(encoder.encode(view).tokens.__getitem__, range(len(view)))]
    expected = plain_log_odds(base.model, prompts, encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(scored(base, encoder, view), expected, atol=1e-4)
    np.testing.assert_allclose(scored(base, encoder, view, left=True), expected, atol=1e-4)


@pytest.mark.parametrize("family", ["qwen2", "gemma3", "gpt2"])
def test_with_an_adapter_a_block_scores_like_separate_prompts(family: str):
    view, base = random_world(1, users=2), tiny_base(family)
    encoder = encoder_for(base.tokenizer)
    bare = scored(base, encoder, view)
    Grafts(base).put(wide(base))
    expected = alone(base, encoder, view)
    np.testing.assert_allclose(scored(base, encoder, view), expected, atol=1e-4)
    assert np.abs(expected - bare).max() > 0.1


def test_in_bf16_blocks_and_separate_prompts_stay_close():
    view, base = random_world(1), BaseModel.of(tiny_model("llama").to(torch.bfloat16), tokenizer())
    encoder = encoder_for(base.tokenizer)
    scores = scored(base, encoder, view)
    exact = scored(base_of("llama"), encoder, view)
    assert np.corrcoef(scores, exact)[0, 1] > 0.97
    np.testing.assert_allclose(scores, alone(base, encoder, view), atol=0.6)


def test_scores_that_are_no_numbers_are_an_error():
    base, view = tiny_base("llama"), random_world(1)
    encoder = encoder_for(base.tokenizer)
    with torch.no_grad():
        base.model.model.norm.weight[0] = torch.nan
    with pytest.raises(ModelError) as error:
        scored(base, encoder, view)
    assert str(error.value) == (
        f"scores: {len(view)} of {len(view)} are not finite numbers\n"
        "Expected finite log-odds\n"
        "Compute in fp32 (base.dtype), or train again with a lower learning rate (fit.lr)"
    )


def test_a_view_without_examples_has_no_scores():
    base, view = base_of("llama"), random_world(1)
    assert scored(base, encoder_for(base.tokenizer), view.only(np.zeros(0, dtype=np.int64))).shape == (0,)
