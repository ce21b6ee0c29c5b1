"""Attention in tiles gives the states and gradients of PyTorch's kernel, for every family that it serves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lm.fast.test_warm_prefix import request, scored
from lm.models import FAMILIES, tiny_base, wide
from regraft.lm.base_model import BaseModel
from regraft.lm.fast import tiled_attention
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.graft import Grafts


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch):
    """Tiles in fp32 too, where equality can be seen."""
    monkeypatch.setattr(tiled_attention, "FASTER", {torch.float32})


def packed(tokens: int = 60, line: int = 33, own: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    """A row with isolated copies behind ever longer prefixes, and one that is padded at its end."""
    place = torch.arange(tokens)
    copy = torch.clamp((place - line) // own, min=-1)
    sees = torch.where(copy < 0, place + 1, torch.clamp((copy + 1) * 9, max=line))
    visible = ((copy < 0) & (place < sees[:, None])) | ((copy >= 0) & (copy == copy[:, None]))
    visible &= place <= place[:, None]
    position = torch.where(copy >= 0, sees + (place - line) % own, place)
    padded = torch.where((place[:, None] < 40) & (place < 40), visible, torch.eye(tokens, dtype=torch.bool))
    return torch.stack([visible, padded]), torch.stack([position, position])


def kernel(base: BaseModel, states: torch.Tensor, *masked: torch.Tensor) -> torch.Tensor:
    """What the model says through PyTorch's own attention."""
    return (
        base._states(states, base.mask(masked[0], masked[1], masked[1]), masked[1]) if masked else base._states(states)
    )


@pytest.mark.parametrize("kept", [0, 10**3])  # worked out again for the gradient, kept
@pytest.mark.parametrize("queries", [16, 256])
@pytest.mark.parametrize("pairs", [1, 10**6])  # one row per tile, all rows in one
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_tiles_say_what_the_kernel_says(
    family: str, masked: bool, pairs: int, queries: int, kept: int, monkeypatch: pytest.MonkeyPatch
):
    base = tiny_base(family)
    mask = packed() if masked else ()
    ids = (7 * torch.arange(120).view(2, 60) + 5) % 300
    states = base.model.get_input_embeddings()(ids).detach()
    monkeypatch.setattr(tiled_attention, "QUERIES", queries)
    monkeypatch.setattr(tiled_attention, "PAIRS", pairs)
    monkeypatch.setattr(tiled_attention, "KEPT", kept)
    found = []
    for read in (kernel, lambda base, *given: base.hidden(*given)):
        begin = states.clone().requires_grad_()
        out = read(base, begin, *mask)
        (out * torch.linspace(-1, 1, out.shape[-1])).sum().backward()  # a norm of it would have no gradient
        found.append((out.detach(), begin.grad))
        assert base.config._attn_implementation in ("sdpa", "eager")
    for whole, tiles in zip(*found, strict=True):
        assert whole is not None and whole.abs().max() > 0
        torch.testing.assert_close(tiles, whole, atol=1e-4 * float(whole.abs().max()), rtol=0)


def test_only_where_they_are_faster(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tiled_attention, "FASTER", {torch.bfloat16})
    base = tiny_base("llama")
    with tiled_attention.tiled(base.model.base_model, None):
        assert base.config._attn_implementation == "sdpa"


def test_tiles_are_used(monkeypatch: pytest.MonkeyPatch):
    base = tiny_base("llama")
    calls = []
    real: Any = tiled_attention._Tiled.apply
    monkeypatch.setattr(tiled_attention._Tiled, "apply", lambda *given: calls.append(given) or real(*given))
    base.hidden(torch.zeros(1, 5, dtype=torch.long))
    assert len(calls) == base.n_layers


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_threads_share_rows_out_and_change_nothing(mode: Any, monkeypatch: pytest.MonkeyPatch):
    base = tiny_base("llama")
    visible, position = packed()
    states = base.model.get_input_embeddings()((torch.arange(120) % 300).view(2, 60)).detach()
    monkeypatch.setattr(tiled_attention, "PAIRS", 1)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            begin = states.clone().requires_grad_()
            with mode():
                out = base.hidden(begin, visible, position)
            if out.requires_grad:
                (out * torch.linspace(-1, 1, out.shape[-1])).sum().backward()
                out = torch.cat([out.detach(), begin.grad])
            found.append(out)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(*found, atol=1e-5 * float(found[0].abs().max()), rtol=0)


@pytest.mark.parametrize("masked", [True, False])
def test_layers_that_run_again_use_the_same_tiles(masked: bool):
    base = tiny_base("llama")
    mask = packed() if masked else ()
    states = base.model.get_input_embeddings()((torch.arange(120) % 300).view(2, 60)).detach()
    grads = []
    for again in (False, True):
        begin = states.clone().requires_grad_()
        if again:
            with base.recomputing():
                out = base.hidden(begin, *mask)
        else:
            out = base.hidden(begin, *mask)
        (out * torch.linspace(-1, 1, out.shape[-1])).sum().backward()
        grads.append(begin.grad)
    assert torch.equal(*grads)


def test_only_keys_that_are_seen_are_read():
    visible, _ = packed()
    whole = [t.keys for t in tiled_attention._masked(visible)]
    assert whole == [slice(0, 60)]  # short rows share a tile
    wide = torch.tril(torch.ones(1, 300, 300, dtype=torch.bool))
    assert [t.keys for t in tiled_attention._masked(wide)] == [slice(0, 128), slice(0, 256), slice(0, 300)]
    wide[:, 256:, 10:200] = False
    keys = tiled_attention._masked(wide)[2].keys
    assert isinstance(keys, torch.Tensor) and keys.tolist() == [*range(10), *range(200, 300)]


def test_rows_share_a_tile_while_they_are_short():
    assert [t.rows for t in tiled_attention._causal(5, 300, 0)] == [slice(i, i + 1) for i in range(5) for _ in range(3)]
    assert [t.rows for t in tiled_attention._causal(70, 64, 0)] == [
        slice(0, 16),
        slice(16, 32),
        slice(32, 48),
        slice(48, 64),
        slice(64, 70),
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_candidates_behind_a_history_read_now_or_at_hand(family: str, monkeypatch: pytest.MonkeyPatch):
    base = tiny_base(family)
    Grafts(base).put(wide(base))
    warm = WarmPrefixes(base)
    for events in (9, 30):
        view, found = request("ann", events), []
        for dtypes in (set[torch.dtype](), {torch.float32}):
            monkeypatch.setattr(tiled_attention, "FASTER", dtypes)
            found += [scored(view, base, None), scored(view, base, warm)]
        for scores in found[1:]:
            np.testing.assert_allclose(scores, found[0], atol=1e-4)
