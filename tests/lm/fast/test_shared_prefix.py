"""Reading the history once and its copies behind it gives the scores of separate prompts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch

from lm.models import FAMILIES, candidates, encoder_for, plain_log_odds, random_world, separate_prompts, tiny_base, wide
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.lm import encode
from regraft.lm.fast import shared_prefix
from regraft.lm.graft import Grafts
from regraft.lm.score import score_blocks
from regraft.prompts.timeline import Shape

base_of = lru_cache(tiny_base)


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_prefix, "WORTH", 1)
    monkeypatch.setattr(shared_prefix, "ROW_TOKENS", 12)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_keeps_its_prefix_and_scores_like_separate_prompts(family: str) -> None:
    view, base = candidates(each=8), base_of(family)
    encoder = encoder_for(base.tokenizer, shape=Shape(4, 6))
    blocks = encoder.encode(view)
    found, others = shared_prefix.prefix_groups(blocks, base)
    assert found, "this family should keep keys and values"
    rows = [len(group_.source) for group_ in found]
    assert max(rows) > 1
    with torch.no_grad():
        scores = score_blocks(base, encoder.answers, blocks)
    expected = plain_log_odds(base.model, separate_prompts(view, encoder), encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    served = np.concatenate([group_.examples for group_ in found])
    left = np.flatnonzero(np.isin(blocks.block, others))
    assert sorted([*served, *left]) == list(range(len(view)))


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_copies_that_know_different_parts_of_one_history(family: str) -> None:
    view, base = random_world(1, users=2, periods=Periods(by="time", n=3, warm_up=0.2)), base_of(family)
    encoder = encoder_for(base.tokenizer, regime=Regime("frozen"))
    assert shared_prefix.prefix_groups(encoder.encode(view), base)[0]
    expected = plain_log_odds(base.model, separate_prompts(view, encoder), encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(score_blocks(base, encoder.answers, encoder.encode(view)), expected, atol=1e-4)


def test_an_adapter_is_seen_by_the_history_and_by_the_copies() -> None:
    view, base = candidates(each=8), tiny_base("llama")
    encoder = encoder_for(base.tokenizer, shape=Shape(4, 6))
    blocks = encoder.encode(view)
    bare = score_blocks(base, encoder.answers, blocks)
    Grafts(base).put(wide(base))
    expected = plain_log_odds(base.model, separate_prompts(view, encoder), encoder.answers.yes, encoder.answers.no)
    scores = score_blocks(base, encoder.answers, blocks)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert np.abs(scores - bare).max() > 0.1


def test_a_model_that_forgets_its_prefix_is_read_in_one_pass() -> None:
    view, base = candidates(each=8), tiny_base("llama")
    encoder = encoder_for(base.tokenizer, shape=Shape(4, 6))
    blocks = encoder.encode(view)
    base.keeps_prefix = False
    found, others = shared_prefix.prefix_groups(blocks, base)
    assert not found
    assert len(others) == len(blocks)


def test_a_shared_history_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    view, base = candidates(each=8), tiny_base("llama")
    monkeypatch.setattr(encode, "ISOLATED_TOKENS", 16)
    blocks = encoder_for(base.tokenizer, shape=Shape(4, 6)).encode(view)
    found, _ = shared_prefix.prefix_groups(blocks, base)
    assert max(len(group_.examples) for group_ in found) > 2  # several blocks became one group_
    copies = int((blocks.segment > 0).sum())
    histories = {
        line: int((blocks.segment[start:end] == 0).sum())
        for line, start, end in zip(blocks.line, blocks.tokens.start[:-1], blocks.tokens.start[1:], strict=True)
    }
    assert shared_prefix.tokens_read(blocks, base) == copies + sum(histories.values()) < len(blocks.tokens.data)
