"""Attention in pieces gives the states and gradients of attention in one piece, for every family that it serves."""

from __future__ import annotations

import pytest
import torch

from lm.models import FAMILIES, tiny_base
from regraft.lm import narrow_attention


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


@pytest.mark.parametrize("family", FAMILIES)
def test_pieces_say_what_the_whole_says(family: str, monkeypatch: pytest.MonkeyPatch):
    base = tiny_base(family)
    visible, position = packed()
    ids = (7 * torch.arange(120).view(2, 60) + 5) % 300
    states = base.model.get_input_embeddings()(ids).detach()
    found = []
    for worth in (10**9, 0):
        monkeypatch.setattr(narrow_attention, "WORTH", worth)
        monkeypatch.setattr(narrow_attention, "QUERIES", 16)
        begin = states.clone().requires_grad_()
        out = base.hidden(begin, visible, position)
        (out * torch.linspace(-1, 1, out.shape[-1])).sum().backward()  # a norm of it would have no gradient
        found.append((out.detach(), begin.grad))
        assert base.config._attn_implementation != narrow_attention.NAME
    for whole, pieces in zip(*found, strict=True):
        assert whole is not None and whole.abs().max() > 0
        torch.testing.assert_close(pieces, whole, atol=1e-4 * float(whole.abs().max()), rtol=0)


def test_only_keys_that_are_seen_are_read():
    visible, _ = packed()
    line, padding = narrow_attention._pieces(visible[:1]), narrow_attention._pieces(visible[1:])
    assert line == [[slice(0, 60)]]  # one piece: shorter than the number of tokens per piece
    assert padding == [[slice(0, 60)]]
    wide = torch.tril(torch.ones(1, 300, 300, dtype=torch.bool))
    assert narrow_attention._pieces(wide) == [[slice(0, 256), slice(0, 300)]]
    wide[:, 256:, 10:200] = False
    keys = narrow_attention._pieces(wide)[0][1]
    assert keys.tolist() == [*range(10), *range(200, 300)]
