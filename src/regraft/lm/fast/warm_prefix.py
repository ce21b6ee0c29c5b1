"""Histories that stay at hand between requests: their keys and values lie ready, only what is new of them is read.

Keys and values belong to one user under one adapter; an adapter that acts at targets alone (activation.py) leaves
histories as the bare model reads them, and shares them with it. Several threads may ask at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

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
    """One line per user and adapter; beyond `limit` bytes the one that was asked for least recently goes."""

    def __init__(self, base: BaseModel, limit: int = GIB) -> None:
        self.base, self.limit = base, limit
        self.tokens_read = self.bytes = 0
        self._lines: OrderedDict[tuple[Hashable, Hashable], _Line] = OrderedDict()  # by adapter and user
        self._lock = Lock()

    @contextmanager
    def read(
        self, who: Hashable, tokens: np.ndarray, copy: np.ndarray | None = None, at_targets: bool = False
    ) -> Iterator[tuple[Tensor, Kept]]:
        """Inside, (states, keys and values) of a history under the adapter that acts in this thread.

        The states are [tokens, width], and those of a `copy` that reads on where the history ends: one pass for both.
        The copy is not kept. With `at_targets`, adapters act on the copy alone.

        The line is this request's alone as long as it is inside, and the request reads nothing else into it. Another
        one of the same user that comes meanwhile reads the history anew.
        """
        key = self._adapter(at_targets), who
        line = self._taken(key)
        same = _common(line.tokens, tokens)
        if same == 0:  # another context begins here: nothing of the old one is of use
            line = self._nothing()
        elif same < len(line.tokens):
            line.kept.shorten(same)
        states = line.states[:same]
        new = tokens[same:] if copy is None else np.concatenate([tokens[same:], copy])
        if len(new):
            acts = (torch.arange(len(new), device=self.base.device) >= len(tokens) - same)[None] if at_targets else None
            with activated_at(acts):
                states = torch.cat([states.to(self.base.device, self.base.dtype), self._append(new, line.kept)])
        if copy is not None:
            line.kept.shorten(len(tokens))
        yield states, line.kept
        self._put_back(key, _Line(tokens, states[: len(tokens)], line.kept), len(tokens) - same)

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self._lines.clear()
            self.bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    # -- inside --------------------------------------------------------------------------------

    def _adapter(self, at_targets: bool) -> Hashable:
        """Names the weights that histories are read with; None: those of the bare model."""
        slot = None if at_targets or self.base.slots is None else self.base.slots.acting()
        return slot and slot.version

    def _taken(self, key: tuple[Hashable, Hashable]) -> _Line:
        with self._lock:
            line = self._lines.pop(key, None)
            self.bytes -= line.bytes if line else 0
        return line or self._nothing()

    def _put_back(self, key: tuple[Hashable, Hashable], line: _Line, tokens_read: int) -> None:
        with self._lock:
            other = self._lines.pop(key, None)  # of a request that came meanwhile
            self.bytes += line.bytes - (other.bytes if other else 0)
            self._lines[key] = line
            self.tokens_read += tokens_read
            while len(self._lines) > 1 and self.bytes > self.limit:
                self.bytes -= self._lines.popitem(last=False)[1].bytes

    def _nothing(self) -> _Line:
        return _Line(np.zeros(0, np.int64), torch.zeros(0, self.base.width), Kept())

    def _append(self, tokens: np.ndarray, kept: Kept) -> Tensor:
        ids = torch.from_numpy(tokens.astype(np.int64)).to(self.base.device)[None]
        kept.read = False  # from now on it takes in what is read, until copies are read behind it
        return kept.extend(self.base.model.base_model, ids)


def _common(a: np.ndarray, b: np.ndarray) -> int:
    """Length of the longest common beginning."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


def _bytes(tensor: Tensor) -> int:
    return int(tensor.numel() * tensor.element_size())
