"""The last layer does for answers alone what it does to each token by itself.

Of the states that leave the last layer only those at answers are looked at: one token in ten to twenty. Its MLP and the
product that attention ends with take one token at a time; they run for those that are read and leave zeros for the
rest, which nobody sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regraft.lm.activation import activated_at, active_tokens
from regraft.lm.base_model import BaseModel
from regraft.lm.fast.override_forward import Forward, override_forward
from regraft.lm.trunk.split import same

ATTENTION, MLP = ("self_attn", "attn", "attention"), ("mlp",)
ENDS = ("o_proj", "c_proj", "out_proj", "dense")  # what attention ends with
WORTH = 0.5  # share of tokens that are read, above which everything is done


@contextmanager
def read_alone(base: BaseModel, row: Tensor, read: Tensor, tokens: int) -> Iterator[None]:
    """Inside, states of the last layer are right at tokens `read` of rows `row` [n], and anywhere else they are not.

    `tokens` is the length of a row.

    On a model of another build, or while layers are run again for the gradient, everything is done as ever.
    """
    modules = by_token(base)
    if not len(row) or base.recomputes:
        yield
        return
    with override_forward(modules, _at(torch.unique(row * tokens + read))):
        yield


def by_token(base: BaseModel) -> list[nn.Module]:
    """What works at tokens by themselves in the last layer. Tried once per model, by reading a text of its own."""
    if base.by_token is None:
        base.by_token = _by_token(base)
    return base.by_token


def _at(kept: Tensor) -> Forward:
    """A module that works at tokens `kept`, counted through all rows, and leaves zeros elsewhere."""

    def forward(own: Any, states: Tensor) -> Any:
        rows, tokens, width = states.shape
        if len(kept) > WORTH * rows * tokens:
            return own(states)
        acts = active_tokens()
        with activated_at(None if acts is None else acts.reshape(1, -1)[:, kept]):
            found: Tensor = own(states.reshape(1, -1, width)[:, kept])[0]
        everywhere = found.new_zeros(rows * tokens, found.shape[-1])
        return everywhere.index_copy(0, kept, found).view(rows, tokens, -1)

    return forward


def _by_token(base: BaseModel) -> list[nn.Module]:
    """The modules, where the states that are read are the same with and without; none where they are not."""
    _ = base.isolates  # tried on a text of its own: not while tokens are left out
    layer = base.layers[-1] if len(base.layers) else nn.Module()
    attention = _child(layer, ATTENTION)
    found = [m for m in (_child(attention, ENDS), _child(layer, MLP)) if m is not None]
    ids = torch.arange(24, device=base.device).view(2, 12) % base.config.vocab_size
    kept = torch.tensor([3, 16, 23], device=base.device)
    try:
        with torch.no_grad(), activated_at(None):
            whole = base.hidden(ids).flatten(0, 1)[kept]
            with override_forward(found, _at(kept)):
                alone = base.hidden(ids).flatten(0, 1)[kept]
    except (AttributeError, IndexError, TypeError, ValueError, RuntimeError):
        return []
    return found if same(base, whole, alone) else []


def _child(module: nn.Module | None, names: tuple[str, ...]) -> nn.Module | None:
    found = (getattr(module, name, None) for name in names) if module is not None else ()
    return next((m for m in found if isinstance(m, nn.Module)), None)
