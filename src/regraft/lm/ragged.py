"""Many short integer sequences in one flat array: tokens of events, of answers, of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from regraft.data.user_order import ranges


@dataclass(frozen=True)
class Ragged:
    """Sequence i is `data[start[i]:start[i + 1]]`."""

    data: np.ndarray  # int32
    start: np.ndarray  # int64, one more than there are sequences

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self.data[self.start[i] : self.start[i + 1]]

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.start)

    @classmethod
    def of(cls, sequences: Iterable[Sequence[int]]) -> Ragged:
        listed = list(sequences)
        start = np.concatenate([[0], np.cumsum([len(s) for s in listed], dtype=np.int64)])
        data = np.concatenate([np.asarray(s, dtype=np.int32) for s in listed]) if listed else np.zeros(0, np.int32)
        return cls(data.astype(np.int32), start.astype(np.int64))

    def take(self, index: np.ndarray) -> Ragged:
        """The sequences at `index`, repeats allowed."""
        lengths = self.lengths[index]
        start = np.concatenate([[0], np.cumsum(lengths)])
        return Ragged(self.data[ranges(self.start[:-1][index], lengths)], start)

    def grouped(self, sizes: np.ndarray) -> Ragged:
        """Consecutive sequences joined, `sizes[g]` of them into the g-th."""
        return Ragged(self.data, self.start[np.concatenate([[0], np.cumsum(sizes)])])


def stack(parts: Sequence[Ragged]) -> Ragged:
    """All sequences of all parts, one after the other."""
    offsets = np.cumsum([0, *(len(p.data) for p in parts)])
    start = np.concatenate([p.start[:-1] + o for p, o in zip(parts, offsets, strict=False)] + [offsets[-1:]])
    return Ragged(np.concatenate([p.data for p in parts]), start)
