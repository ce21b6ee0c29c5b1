"""A log is told to running sums: the facts of its rows, each as of itself, and the sums after all of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator

import numpy as np

from regraft.data.stream import Stream
from regraft.prompts.fact_sums import SLICE, Columns, FactSums

Progress = Callable[[int, int], None]  # (rows done, all rows)


def replay(
    sums: FactSums, stream: Stream, progress: Progress | None = None, names: Collection[str] | None = None
) -> Columns:
    """Tells `sums` the rows of a stream that it has not taken; gives the named facts of each of them.

    Default: all facts. With no names nothing is kept of them: for whoever wants the sums alone.
    """
    found: Columns = {}
    first, n = sums.rows, len(stream.time) - sums.rows
    for rows, told in _told(sums, stream, progress):
        found = found or {name: np.empty(n) for name in told if names is None or name in names}
        for name, column in found.items():
            column[rows.start - first : rows.stop - first] = told[name]
    return found


def _told(sums: FactSums, stream: Stream, progress: Progress | None) -> Iterator[tuple[slice, Columns]]:
    """Slices of rows, period by period, and their facts."""
    begins = np.flatnonzero(np.diff(stream.period)) + 1
    edges = [sums.rows, *begins[begins > sums.rows].tolist(), len(stream.time)]
    if not sums.rows:
        happened = stream.happened
        sums.users.expect(np.bincount(stream.user[happened]))
        sums.items.expect(np.bincount(stream.item[happened]))
    for first, end in itertools.pairwise(edges):
        while end > first and sums.period < stream.period[first]:
            sums.close_period()
        if end > first:  # in the warm-up, items are called by what they were called first
            sums.know(stream.texts(stream.cuts[sums.period - 1] if sums.period else int(stream.known_at[0])))
        columns = ("user", "item", "time", "known_at", "label", "happened")
        for begin in range(first, max(end, first + 1), SLICE):
            rows = slice(begin, min(begin + SLICE, end))
            yield rows, sums.take(*(getattr(stream, name)[rows] for name in columns))
        if progress is not None:
            progress(end, len(stream.time))
