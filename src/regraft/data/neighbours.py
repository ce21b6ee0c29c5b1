"""Which items go together: how a user rated the items that people rate alike with this one.

`kin` is the item-item nearest-neighbour vote on residuals (Sarwar et al. 2001; shrinkage as in Bell and
Koren 2007). Nothing is fitted: similarities are sums over the people who rated both items, kept as of the
start of each chunk of rows (periods; slices of the warm-up), while the user's own history is live.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from regraft.data.asof import chunks
from regraft.data.pair_sums import PairSums, Similarity, pairs
from regraft.data.stream import Stream

FLOOR = 0.5  # similarity mass below which the vote fades to 0
Progress = Callable[[int, int], None]  # (rows done, all rows)


def kin(stream: Stream, known: np.ndarray, residual: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """Similarity-weighted mean residual of the user's known history, per row; 0 where nothing is known.

    `residual` is the row's label minus what the item's own rate led to expect; rows that did not happen
    are nobody's history. Positive similarities only: a person who disagrees is no evidence for liking.
    `progress` is called after every chunk.
    """
    found = np.zeros(len(stream.time))
    order, sums, taken = stream.order, PairSums(), 0
    line_item, line_residual = stream.item[order.rows], residual[order.rows]
    start, count = order.start[stream.user], order.known(stream.user, known)
    for first, end in chunks(stream):
        new = np.arange(taken, max(taken, int(known[first])))
        new = new[stream.happened[new]]
        sums.add(stream.item[new], residual[new], start[new], order.index[new], line_item, line_residual)
        taken = max(taken, int(known[first]))
        rows = slice(first, end)
        similar = sums.similarity(int(count[rows].sum()))
        found[rows] = votes(similar, stream.item[rows], start[rows], count[rows], line_item, line_residual)
        if progress is not None:
            progress(end, len(stream.time))
    return found


def votes(
    similar: Similarity, item: np.ndarray, start: np.ndarray, count: np.ndarray,
    line_item: np.ndarray, line_residual: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The vote on each `item` by the user's history `line_*[start : start + count]`."""
    found = np.zeros(len(item))
    by_item = np.argsort(item, kind="stable")  # cases of one item read the same row of similarities
    item, start, count = item[by_item], start[by_item], count[by_item]
    for part, line in pairs(start, count):
        weight = similar(np.repeat(item[part], count[part]), line_item[line]).astype(np.float64)
        some = np.flatnonzero(count[part])
        first = np.concatenate([[0], np.cumsum(count[part][some])[:-1]])
        top, mass = np.add.reduceat(weight * line_residual[line], first), np.add.reduceat(weight, first)
        found[by_item[part.start + some]] = top / (mass + FLOOR)
    return found
