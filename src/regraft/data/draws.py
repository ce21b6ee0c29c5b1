"""Random draws keyed by row id: one row more or less in a log redraws nothing for the others.

Counter-based (splitmix64; Steele, Lea and Flood 2014): a draw is a function of the row's id and of a key, not of
how many draws came before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from regraft.data.stream import Stream

GOLDEN = 0x9E3779B97F4A7C15
EVAL_KEY = 11  # of the draw of evaluation rows
LCG = np.uint64(2862933555777941757)


def bits(ids: np.ndarray, *key: int) -> np.ndarray:
    """uint64 [n]: random bits per id under the key (any whole numbers)."""
    z = ids.astype(np.int64).view(np.uint64)
    for part in (*key, 0):
        z = _mixed(z + np.uint64((part + 1) * GOLDEN % 2**64))
    return z


def uniform(ids: np.ndarray, *key: int) -> np.ndarray:
    """float64 [n] in (0, 1): one number per id under the key."""
    return ((bits(ids, *key) >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def below(ids: np.ndarray, n: np.ndarray, *key: int) -> np.ndarray:
    """int64 [ids]: a uniform number in [0, n) per id (n >= 1, one per id).

    Where n grows by one, a draw changes with probability 1 / (n + 1) only, and then to the new number (jump
    consistent hash, Lamping and Veach 2014, arXiv 1406.2294).
    """
    state, found = bits(ids, *key), np.zeros(len(ids), dtype=np.int64)
    open_ids, step = np.arange(len(ids)), np.zeros(len(ids))
    while len(open_ids):
        found[open_ids] = step[open_ids]
        state[open_ids] = state[open_ids] * LCG + np.uint64(1)
        jump = 2.0**31 / ((state[open_ids] >> np.uint64(33)).astype(np.float64) + 1)
        step[open_ids] = np.floor((step[open_ids] + 1) * jump)
        open_ids = open_ids[step[open_ids] < n[open_ids]]
    return found


def runs(stream: Stream, length: int, share: float, *key: int) -> np.ndarray:
    """bool per row: a `share` of the rows, drawn in runs of about `length` consecutive events of one user.

    A row opens a run where its own draw says so, and the run is chosen by the draw of its first row; so a row
    more or less changes the run it falls into and no other. Sampled negatives go with the event above them.
    """
    order, ids = stream.order, stream.row_id
    own = ids[order.rows]
    opens = uniform(own, *key, 1) < 1 / length
    opens[order.start[:-1][order.start[:-1] < order.start[1:]]] = True
    first = np.maximum.accumulate(np.where(opens, np.arange(len(own)), 0))
    chosen = uniform(own, *key, 2)[first] < share
    found = np.zeros(len(ids), dtype=bool)
    found[order.rows] = chosen
    free = np.flatnonzero(~stream.happened)
    above = order.start[stream.user[free]] + order.index[free] - 1
    found[free] = np.where(order.index[free] > 0, chosen[np.maximum(above, 0)], False) if len(chosen) else False
    return found


def _mixed(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def evaluation_rows(stream: Stream, length: int, share: float) -> np.ndarray:
    """bool per row of the stream: examples that nothing is ever trained on, in the arena and in a site alike.

    Whole runs of a user's events are drawn, not single rows: runs share one history when they are scored.
    """
    return runs(stream, length, share, EVAL_KEY)
