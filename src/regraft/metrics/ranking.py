"""How high the wanted items stand in ranked lists, and how evenly the lists use the catalogue.

`ranks` holds one number per wanted item: 1 = top of the list, infinity = not in the list.
`cases` says which request each rank belongs to; without it every rank is a request of its own.
A request for which nothing was wanted has no rank and does not count. Rank over all items that could
have been shown at the time: ranks among sampled candidates order models wrongly (Krichene & Rendle 2020).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from regraft.errors import DataError
from regraft.metrics.binary import same_length


def target_ranks(scores: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Rank of column `targets[i]` in row i of `scores` [requests, candidates]; float64, from 1.

    Ties share the mean of their places, so that a scorer that cannot tell items apart gains nothing.
    """
    table, target = np.asarray(scores, dtype=np.float64), np.asarray(targets, dtype=np.int64)
    same_length("ranking", requests=table, targets=target)
    if np.isnan(table).any():
        missing = int(np.isnan(table).sum())
        raise DataError("ranking", f"{missing:,} of {table.size:,} scores are missing", "one per candidate.")
    own = np.take_along_axis(table, target[:, None], axis=1)
    above, level = (table > own).sum(axis=1), (table == own).sum(axis=1)
    return np.asarray(above + (level + 1) / 2, dtype=np.float64)


def hit_rate(ranks: ArrayLike, k: int, cases: ArrayLike | None = None) -> float:
    """Share of requests with a wanted item in the top k; 0 to 1, higher is better. NaN without positives."""
    rank, case, wanted = _read(ranks, k, cases)
    return _mean(np.bincount(case, weights=rank <= k, minlength=len(wanted)) > 0)


class Each(NamedTuple):
    """The measures of every request; arrays have one entry per request that wanted something."""

    case: np.ndarray  # as given, ascending
    ndcg: np.ndarray
    recall: np.ndarray
    mrr: np.ndarray


def of_each(ranks: ArrayLike, k: int, cases: ArrayLike | None = None) -> Each:
    """NDCG, recall and reciprocal rank at k of every request: what `ndcg`, `recall` and `mrr` are the means of."""
    rank, case, wanted = _read(ranks, k, cases)
    names = np.arange(len(wanted)) if cases is None else np.unique(np.asarray(cases))
    gain = np.where(rank <= k, 1 / np.log2(1 + rank), 0.0)
    ideal = np.cumsum(1 / np.log2(2 + np.arange(k)))[np.minimum(wanted, k) - 1]
    best = np.full(len(wanted), np.inf)
    np.minimum.at(best, case, rank)
    return Each(
        names,
        np.bincount(case, weights=gain, minlength=len(wanted)) / ideal,
        np.bincount(case, weights=rank <= k, minlength=len(wanted)) / wanted,
        np.where(best <= k, 1 / best, 0.0),
    )


def recall(ranks: ArrayLike, k: int, cases: ArrayLike | None = None) -> float:
    """Mean share of a request's wanted items in the top k; 0 to 1, higher better. NaN without positives."""
    return _mean(of_each(ranks, k, cases).recall)


def mrr(ranks: ArrayLike, k: int, cases: ArrayLike | None = None) -> float:
    """Mean of 1 / rank of the best wanted item, 0 below the top k; 0 to 1. NaN without positives."""
    return _mean(of_each(ranks, k, cases).mrr)


def ndcg(ranks: ArrayLike, k: int, cases: ArrayLike | None = None) -> float:
    """Mean over requests of sum 1 / log2(1 + rank) in the top k, over that of the best possible list.

    0 to 1, higher is better. NaN without positives. Source: Jarvelin & Kekalainen 2002, binary gains.
    """
    return _mean(of_each(ranks, k, cases).ndcg)


def coverage(recommended: ArrayLike, catalogue: int) -> float:
    """Share of the catalogue that appears in at least one list; 0 to 1. NaN for an empty catalogue.

    `recommended` holds item codes 0..catalogue-1, in any shape.
    """
    return float((_exposure(recommended, catalogue) > 0).mean()) if catalogue else float("nan")


def gini(recommended: ArrayLike, catalogue: int) -> float:
    """Inequality of exposure over the whole catalogue, items never shown included.

    0 = every item is shown equally often, 1 - 1/catalogue = only one is ever shown. NaN if nothing is shown.
    """
    shown = np.sort(_exposure(recommended, catalogue))
    if not shown.sum():
        return float("nan")
    place = 2 * np.arange(1, catalogue + 1) - catalogue - 1
    return float((place * shown).sum() / (catalogue * shown.sum()))


def _read(ranks: ArrayLike, k: int, cases: ArrayLike | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks, request codes and the number of wanted items per request."""
    rank = np.asarray(ranks, dtype=np.float64)
    given = np.arange(rank.size) if cases is None else np.asarray(cases)
    same_length("ranking", ranks=rank, cases=given)
    if k < 1:
        raise DataError("ranking", f"found k = {k}", "1 or more places.")
    wrong = np.flatnonzero(~(rank >= 1))  # NaN too
    if wrong.size:
        found = f"{wrong.size:,} of {rank.size:,} ranks are like {rank[wrong[0]]}"
        raise DataError("ranking", found, "ranks from 1; infinity where an item is not in the list.")
    _, code, wanted = np.unique(given, return_inverse=True, return_counts=True)
    return rank, code, wanted


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _exposure(recommended: ArrayLike, catalogue: int) -> np.ndarray:
    """How often each item of the catalogue was shown."""
    codes = np.asarray(recommended, dtype=np.int64).ravel()
    outside = int(((codes < 0) | (codes >= catalogue)).sum())
    if outside:
        raise DataError(
            "ranking",
            f"found {outside:,} of {codes.size:,} recommended items outside the catalogue",
            f"item codes from 0 to {catalogue - 1:,}.",
        )
    return np.bincount(codes, minlength=catalogue)
