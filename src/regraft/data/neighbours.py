"""Which items go together: how a user rated the items that people rate alike with this one.

The vote is the item-item nearest-neighbour rule on residuals (Sarwar et al. 2001; shrinkage as in Bell and
Koren 2007). Nothing is fitted: similarities are sums over the people who rated both items (pair_sums.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from regraft.data.pair_sums import PairSums, Similarity, pairs
from regraft.data.user_order import ranges

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


def similarities(sums: PairSums, n_items: int) -> Any:
    """SciPy CSR array [n_items, n_items], float64: the positive similarities of all pairs of items."""
    from scipy import sparse  # here, as it takes longer to load than to read most logs

    one, other, _, _ = sums.store.cells()
    own = np.arange(len(sums.square))
    one, other = np.concatenate([one, own]), np.concatenate([other, own])
    weight = Similarity(sums, None)(one, other)
    kept = (weight > 0) & (one < n_items) & (other < n_items)
    one, other, weight = one[kept], other[kept], weight[kept].astype(np.float64)
    weight[one == other] /= 2  # it is added to its mirror image
    half = sparse.csr_array((weight, (one, other)), shape=(n_items, n_items))
    return (half + half.T).tocsr()


def votes_on_all(
    similar: Any, start: np.ndarray, count: np.ndarray, line_item: np.ndarray, line_residual: np.ndarray
) -> np.ndarray:
    """float64 [histories, items]: the vote of each history on each item, as `votes` gives it up to rounding (1e-6).

    `similar` is what `similarities` gave: one sparse product instead of a look-up per pair.
    """
    from scipy import sparse

    line = ranges(start, count)
    owner = np.repeat(np.arange(len(start)), count)
    shape = (len(start), similar.shape[0])
    top = sparse.csr_array((line_residual[line], (owner, line_item[line])), shape=shape) @ similar
    mass = sparse.csr_array((np.ones(len(line)), (owner, line_item[line])), shape=shape) @ similar
    found: np.ndarray = top.toarray() / (mass.toarray() + FLOOR)
    return found
