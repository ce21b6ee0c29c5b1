"""Counts and sums "as of" a row: what a group (an item, a user) had gathered among the rows known by then.

Everything here takes `known` (regimes.py): row r may use rows [0, known[r]) of the stream.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from regraft.data.stream import Stream, UserOrder, count_before

GRID = 2.0**24


@dataclass(frozen=True)
class AsOf:
    """Running sums per group; `before` and `last` are vectorised over rows of the stream."""

    order: UserOrder  # rows of each group in time order (the name says user, the group may be an item)

    @classmethod
    def items(cls, stream: Stream) -> AsOf:
        return cls(UserOrder.of(stream.item, stream.happened))

    @classmethod
    def users(cls, stream: Stream) -> AsOf:
        return cls(stream.order)

    def count(self, group: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Rows of the group among the known ones."""
        return count_before(self.order.rows, self.order.start, group, known)

    def sums(self, values: np.ndarray, group: np.ndarray, count: np.ndarray, last: int | None = None) -> np.ndarray:
        """Sum of `values` (one per stream row) over the group's first `count` rows, or the `last` of those.

        The sums are exact (on_grid): they cannot depend, not even in the last bit, on rows that come later.
        """
        total = np.concatenate([[0.0], np.cumsum(on_grid(values[self.order.rows]), dtype=np.float64)])
        start = self.order.start[group]
        first = start if last is None else start + np.maximum(count - last, 0)
        return total[start + count] - total[first]


def on_grid(values: np.ndarray) -> np.ndarray:
    """Values rounded to multiples of 2**-24: their sums are exact, whatever the order and the neighbours."""
    return np.rint(np.asarray(values, dtype=np.float64) * GRID) / GRID


def chunks(stream: Stream, warm_up_rows: int = 25_000) -> list[tuple[int, int]]:
    """Row ranges over which a slowly moving statistic is kept: the periods, and slices of the warm-up.

    A range depends on nothing after its end, so a prefix of the log has the same ranges.
    """
    starts = list(range(0, int(np.searchsorted(stream.period, 1)), warm_up_rows))
    first = int(stream.period[0]) if len(stream.period) else 1
    last = int(stream.period[-1]) if len(stream.period) else 0
    starts += [int(np.searchsorted(stream.period, p)) for p in range(max(first, 1), last + 1)]
    edges = sorted({*starts, len(stream.time)})
    return list(itertools.pairwise(edges))
