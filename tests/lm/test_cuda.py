"""A GPU gives the numbers that the CPU gives. Runs where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lm.fast.test_warm_prefix import request, scored
from lm.models import encoder_for, tiny_base, wide
from lm.trunk.test_trunk import NONE, VIEW, results, shop
from regraft.lm.base_model import BaseModel
from regraft.lm.dtypes import probe_dtype
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.graft import Grafts
from regraft.lm.lab import ModelLab
from regraft.lm.score import score_blocks

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
FAMILIES = ("llama", "qwen2", "gemma2", "gemma3", "gpt2")


def on_gpu(family: str) -> BaseModel:
    base = tiny_base(family)
    return BaseModel.of(base.model.to("cuda"), base.tokenizer)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_losses_and_adapters_whole_and_from_kept_states(tmp_path: Path, family: str):
    expected = results(ModelLab(shop(base=tiny_base(family), cache=NONE)))
    for room in (shop(base=on_gpu(family), cache=NONE), shop(tmp_path, on_gpu(family)), shop(tmp_path, on_gpu(family))):
        for ours, theirs in zip(results(ModelLab(room)), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_candidates_behind_a_history_read_now_or_at_hand(family: str):
    expected, base = tiny_base(family), on_gpu(family)
    for each in (expected, base):
        Grafts(each).put(wide(each))
    warm = WarmPrefixes(base)
    for events in (3, 9, 10, 24):
        view = request("ann", events)
        for at_hand in (None, warm):
            np.testing.assert_allclose(scored(view, base, at_hand), scored(view, expected, None), atol=2e-3)


def test_in_bf16():
    assert probe_dtype("cuda") == "bf16"
    exact, base = tiny_base("llama"), on_gpu("llama")
    base = BaseModel.of(base.model.to(torch.bfloat16), base.tokenizer)
    encoder = encoder_for(exact.tokenizer)
    blocks = encoder.encode(VIEW)
    theirs, ours = (score_blocks(b, encoder.answers, blocks) for b in (exact, base))
    assert np.abs(ours - theirs).max() < 0.1 * np.abs(theirs).max()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
