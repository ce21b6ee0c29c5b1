"""A model cut in two says what it says whole: states, scores and gradients, for every family."""

from __future__ import annotations

import pytest
import torch

from lm.models import FAMILIES, LAYERS, WINDOW, reaching_across, tiny_base
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions
from regraft.lm.trunk.split import Split

IDS = (7 * torch.arange(3 * 2 * WINDOW).view(3, 2 * WINDOW) + 5) % 300


def copies() -> tuple[torch.Tensor, torch.Tensor]:
    """Two isolated copies of four tokens at the end of every row: (visible, position)."""
    n = IDS.shape[1]
    place = torch.arange(n)
    copy = torch.clamp((place - (n - 8)) // 4, min=-1)
    visible = ((copy == -1) | (copy == copy[:, None])) & (place <= place[:, None])
    position = torch.where(copy > 0, place - 4 * copy, place)
    return visible.expand(3, n, n), position.expand(3, n)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", range(1, LAYERS))
def test_top_of_trunk_is_the_model_beyond_its_window_and_with_isolated_copies(family: str, layer: int):
    base = tiny_base(family)
    split = Split.at(base, layer)
    assert split is not None
    assert split.share == layer / LAYERS
    for more in ((), copies()):
        with torch.no_grad():
            whole, cut = base.hidden(IDS, *more), split.upper(split.lower(IDS, *more), *more)
        torch.testing.assert_close(cut, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_the_adapter_are_those_of_the_whole_model(family: str):
    base = tiny_base(family)
    grafts = Grafts(base)
    shape = grafts.shape(AdapterOptions(rank=2, adapt=2))
    slot = grafts.put(grafts.fresh(shape, 1))
    split = Split.at(base, LAYERS - 2)
    assert split is not None
    weights = list(slot.values())
    whole = torch.autograd.grad(base.hidden(IDS).square().mean(), weights)
    with torch.no_grad():
        states = split.lower(IDS)
    cut = torch.autograd.grad(split.upper(states).square().mean(), weights)
    assert any(bool(g.any()) for g in whole)
    for ours, theirs in zip(cut, whole, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_the_model_is_as_it_was_afterwards():
    base = tiny_base()
    before = base.hidden(IDS)
    split = Split.at(base, 2)
    assert split is not None
    split.upper(split.lower(IDS))
    with pytest.raises((IndexError, RuntimeError)):
        split.lower(IDS + 10**6)  # no such token: the model is put back all the same
    torch.testing.assert_close(base.hidden(IDS), before, atol=0, rtol=0)


def test_layers_that_run_again_in_the_backward_pass_stay_so():
    base = tiny_base()
    split = Split.at(base, 2)
    assert split is not None
    with base.recomputing():
        forwards = [vars(layer)["forward"] for layer in base.model.model.layers]
        split.upper(split.lower(IDS))
        assert [vars(layer)["forward"] for layer in base.model.model.layers] == forwards


@pytest.mark.parametrize("layer", [0, LAYERS, LAYERS + 3, -1])
def test_there_is_no_trunk_below_the_first_layer_and_no_top_above_the_last(layer: int):
    assert Split.at(tiny_base(), layer) is None


def test_a_model_that_reaches_across_the_cut_is_left_whole():
    base = tiny_base()
    reaching_across(base)
    assert Split.at(base, 2) is None
