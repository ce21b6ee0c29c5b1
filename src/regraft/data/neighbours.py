"""Which items go together: how a user rated the items that people rate alike with this one.

The vote is the item-item nearest-neighbour rule on residuals (Sarwar et al. 2001; shrinkage as in Bell and
Koren 2007). Nothing is fitted: similarities are sums over the people who rated both items (pair_sums.py).
"""

from __future__ import annotations

import numpy as np

from regraft.data.pair_sums import Similarity, pairs

FLOOR = 0.5  # similarity mass below which the vote fades to 0


def votes(
    similar: Similarity, item: np.ndarray, start: np.ndarray, count: np.ndarray,
    line_item: np.ndarray, line_residual: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Similarity-weighted mean residual of the user's known history, per case; 0 where nothing is known.

    The history of a case is `line_*[start : start + count]`; a residual is a label minus what the item's own rate
    led to expect. Positive similarities only: a person who disagrees is no evidence for liking.
    """
    found = np.zeros(len(item))
    by_item = np.argsort(item, kind="stable")  # cases of one item read the same row of similarities
    item, start, count = item[by_item], start[by_item], count[by_item]
    for part, line in pairs(start, count):
        weight = similar(np.repeat(item[part], count[part]), line_item[line]).astype(np.float64)
        some = np.flatnonzero(count[part])
        first = np.concatenate([[0], np.cumsum(count[part][some])[:-1]])
        found[by_item[part.start + some]] = faded_mean(weight, line_residual[line], first)
    return found


def faded_mean(weight: np.ndarray, residual: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The vote of each part: weighted mean of its residuals, faded to 0 where the weights are small.

    A part begins at each of `first`, ascending.
    """
    top, mass = np.add.reduceat(weight * residual, first), np.add.reduceat(weight, first)
    return top / (mass + FLOOR) + 0.0  # -0.0, a vote of no mass, becomes 0.0
