"""What the last layer leaves out is never seen: scores and gradients are those of the whole layer."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lm.models import FAMILIES, encoder_for, random_world, tiny_base, wide
from regraft.data.periods import Periods
from regraft.lm.base_model import BaseModel
from regraft.lm.batches import batches
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions
from regraft.lm.tasks import judge
from regraft.lm.tasks.judge import Judge

VIEW = random_world(7, events=60, users=4, periods=Periods(by="time", n=3))


def found(base: BaseModel, adapt: str = "all", recomputing: bool = False) -> list[torch.Tensor]:
    """Log-odds of all examples, and the gradient of a loss of theirs in every adapter weight."""
    slot = Grafts(base).put(wide(base, 3, AdapterOptions(rank=2, alpha=4.0, adapt=adapt)))
    encoder = encoder_for(base.tokenizer, apart=adapt == "targets")
    blocks = encoder.encode(VIEW)
    tried = Judge(base, blocks, encoder.answers, np.ones(len(blocks.block), np.float32))
    results = []
    with base.recomputing() if recomputing else nullcontext():
        for batch in batches(blocks, np.arange(len(blocks)), 400, base.device):
            results.append(judge.batch_log_odds(base, encoder.answers, batch))
            loss = tried.loss(batch, tried.step_weights(np.arange(len(blocks))))
            results += torch.autograd.grad(loss, list(slot.values()))
    return [tensor.detach() for tensor in results]


def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "read_alone", lambda *anything: nullcontext())


@pytest.mark.parametrize("adapt", ["all", "targets"])
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_and_gradients_are_those_of_the_whole_layer(
    family: str, adapt: str, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    base = tiny_base(family)
    few = found(base, adapt)
    assert base.by_token is not None and len(base.by_token) == 2  # it did leave something out
    whole(monkeypatch)
    for ours, theirs in zip(few, found(tiny_base(family), adapt), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_layers_that_run_again_for_the_gradient_do_everything(monkeypatch: pytest.MonkeyPatch):
    base = tiny_base()
    again = found(base, recomputing=True)
    assert not base.recomputes
    whole(monkeypatch)
    for ours, theirs in zip(again, found(tiny_base()), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


class Mixing(nn.Module):
    """An MLP that looks at the token before: nothing may be left out."""

    def __init__(self, mlp: nn.Module) -> None:
        super().__init__()
        self.mlp = mlp

    def forward(self, states: Any) -> Any:
        return self.mlp(states + states.roll(1, dims=1))


def test_a_layer_that_mixes_tokens_there_runs_whole(monkeypatch: pytest.MonkeyPatch):
    def mixing() -> BaseModel:
        base = tiny_base()
        base.model.model.layers[-1].mlp = Mixing(base.model.model.layers[-1].mlp)
        return base

    base = mixing()
    ours = found(base, "all")
    assert base.by_token == []
    whole(monkeypatch)
    for one, other in zip(ours, found(mixing(), "all"), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
