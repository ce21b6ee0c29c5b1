"""Negatives of a log without dislikes: items sampled beside each choice. They are labels, never history or features.

`period` draws them once, when the period is closed, from all items on offer by then; only items of the same basket
(same user, same instant) are excluded. `untouched` draws, row by row, among the items that had an event by the row's
instant and that the user had not touched by then: there, an item without an earlier event can only be the chosen one,
and "bought before" always means yes.

A draw is keyed by the row's id, so one row more or less redraws nothing for the others, and a pool that grows redraws
little (data/draws.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from regraft.data.draws import below

Sampler = Literal["period", "untouched"]
ATTEMPTS = 10  # draws after which a row gets no negative
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def in_words(sampler: Sampler, per_positive: int) -> str:
    """The phrase that stands beside every AUC of a log without dislikes."""
    how = {
        "period": "drawn per period from all items on offer",
        "untouched": "drawn per row from items seen before that the user had not touched",
    }[sampler]
    return f"negatives: {how}, {'one' if per_positive == 1 else per_positive} per positive"


def closings(known_at: np.ndarray, period: np.ndarray, cuts: Sequence[int], gap: int = 0) -> np.ndarray:
    """int64 ms per row: when its negatives are drawn, exclusive end of what the draw may know.

    The end of the row's period or, where an update sees the row before (`gap` ms ahead of a cut), that time.
    """
    edges = np.asarray(cuts, dtype=np.int64)
    seen = np.append(edges - gap, np.iinfo(np.int64).max)
    return np.minimum(seen[np.searchsorted(edges - gap, known_at, side="right")], edges[period])


def per_period(
    user: np.ndarray, item: np.ndarray, time: np.ndarray, closing: np.ndarray, offered: np.ndarray,
    row_id: np.ndarray, per_positive: int, seed: int,
) -> Drawn:  # fmt: skip
    """(position of the positive, item code, number of the draw) of each negative, for the sampler `period`.

    `offered` (ms, ascending) says since when each item code is on offer. Rows for which ten draws find nothing
    outside the basket get fewer.
    """
    order = np.lexsort((closing, time, user))
    differs = [np.diff(column[order], prepend=column[order[:1]] - 1) != 0 for column in (user, time, closing)]
    basket = np.empty(len(user), dtype=np.int64)
    basket[order] = np.cumsum(np.any(differs, axis=0))
    n_items = np.int64(len(offered))
    taken = np.unique(basket * n_items + item)

    def in_basket(rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        key = basket[rows] * n_items + drawn
        return taken[np.minimum(np.searchsorted(taken, key), len(taken) - 1)] == key

    return _drawn(row_id, np.searchsorted(offered, closing), in_basket, per_positive, seed)


def untouched(
    user: np.ndarray, item: np.ndarray, known_at: np.ndarray, row_id: np.ndarray, per_positive: int, seed: int
) -> Drawn:
    """(position of the positive, item code, number of the draw) of each negative, for the sampler `untouched`.

    Rows are in the order they became known, codes by first appearance. A draw depends on the row's id, the seed
    and the past alone, so a prefix of the log always gets the same negatives. Rows for which ten draws find no
    untouched item get fewer.
    """
    # Items that existed strictly before or at the row's instant: the codes below the running maximum.
    existing = np.maximum.accumulate(item)[np.searchsorted(known_at, known_at, side="right") - 1] + 1
    n_items = np.int64(item.max() + 1)
    pairs = user.astype(np.int64) * n_items + item
    order = np.argsort(pairs, kind="stable")
    unique, first = np.unique(pairs[order], return_index=True)
    touched_at = known_at[order[first]]

    def touched(rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        key = user[rows].astype(np.int64) * n_items + drawn
        at = np.minimum(np.searchsorted(unique, key), len(unique) - 1)
        return (unique[at] == key) & (touched_at[at] <= known_at[rows])

    return _drawn(row_id, existing, touched, per_positive, seed)


def _drawn(
    row_id: np.ndarray, pool: np.ndarray, excluded: Callable[[np.ndarray, np.ndarray], np.ndarray],
    per_positive: int, seed: int,
) -> Drawn:  # fmt: skip
    """Item codes below `pool`, one per row and number; where a draw is excluded, it is drawn again."""
    found: list[Drawn] = []
    for number in range(per_positive):
        rows = np.arange(len(row_id))
        for attempt in range(ATTEMPTS):
            drawn = below(row_id[rows], pool[rows], seed, number, attempt)
            again = excluded(rows, drawn)
            kept = rows[~again]
            found.append((kept, drawn[~again].astype(np.int32), np.full(len(kept), number)))
            rows = rows[again]
            if not len(rows):
                break
    position, code, numbers = (np.concatenate(column) for column in zip(*found, strict=True))
    return position, code, numbers
