"""Histories that stay at hand between requests: their keys and values lie ready, only what is new of them is read.

Keys and values belong to one adapter; where an adapter is swapped, `clear` (one that acts at targets alone,
activation.py, leaves them as they are).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from regraft.lm.activation import activated_at
from regraft.lm.base_model import BaseModel
from regraft.lm.fast.prefix_attention import Kept
from regraft.lm.options import GIB


@dataclass(frozen=True)
class _Line:
    tokens: np.ndarray
    states: Tensor  # [tokens, width]
    kept: Kept

    @cached_property  # before its keys and values are handed to a longer one
    def bytes(self) -> int:
        return _bytes(self.states) + sum(_bytes(la.keys) + _bytes(la.values) for la in self.kept.layers)


class WarmPrefixes:
    """One line per user; beyond `limit` bytes the one that was asked for least recently goes."""

    def __init__(self, base: BaseModel, limit: int = GIB) -> None:
        self.base, self.limit = base, limit
        self.tokens_read = self.bytes = 0
        self._lines: OrderedDict[Hashable, _Line] = OrderedDict()

    def read(
        self, who: Hashable, tokens: np.ndarray, copy: np.ndarray | None = None, at_targets: bool = False
    ) -> tuple[Tensor, Kept]:
        """(states, keys and values) of a history; the caller reads nothing else into them.

        The states are [tokens, width], and those of a `copy` that reads on where the history ends: one pass for both.
        The copy is not kept. With `at_targets`, adapters act on the copy alone.
        """
        line = self._lines.pop(who, None) or self._nothing()
        self.bytes -= line.bytes
        same = _common(line.tokens, tokens)
        if same == 0:  # another context begins here: nothing of the old one is of use
            line = self._nothing()
        elif same < len(line.tokens):
            line.kept.shorten(same)
        states, self.tokens_read = line.states[:same], self.tokens_read + len(tokens) - same
        new = tokens[same:] if copy is None else np.concatenate([tokens[same:], copy])
        if len(new):
            acts = (torch.arange(len(new), device=self.base.device) >= len(tokens) - same)[None] if at_targets else None
            with activated_at(acts):
                states = torch.cat([states.to(self.base.device, self.base.dtype), self._append(new, line.kept)])
        if copy is not None:
            line.kept.shorten(len(tokens))
        self._lines[who] = line = _Line(tokens, states[: len(tokens)], line.kept)
        self.bytes += line.bytes
        self._make_room()
        return states, line.kept

    def clear(self) -> None:
        """Forgets all: another adapter is on."""
        self._lines.clear()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    # -- inside --------------------------------------------------------------------------------

    def _nothing(self) -> _Line:
        return _Line(np.zeros(0, np.int64), torch.zeros(0, self.base.width), Kept())

    def _append(self, tokens: np.ndarray, kept: Kept) -> Tensor:
        ids = torch.from_numpy(tokens.astype(np.int64)).to(self.base.device)[None]
        kept.read = False  # from now on it takes in what is read, until copies are read behind it
        return kept.extend(self.base.model.base_model, ids)

    def _make_room(self) -> None:
        while len(self._lines) > 1 and self.bytes > self.limit:
            self.bytes -= self._lines.popitem(last=False)[1].bytes


def _common(a: np.ndarray, b: np.ndarray) -> int:
    """Length of the longest common beginning."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


def _bytes(tensor: Tensor) -> int:
    return int(tensor.numel() * tensor.element_size())
