"""Long term: whether lists stay varied and whether a few items take all the room.

`shown` has one row per item of a list: `uid`, `request_id`, `item_id`. `vectors` [items, terms] has rows of length 1,
or 0 for an item without terms; `codes` are the rows of items.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from regraft.metrics.estimate import NAN, NOTHING, Estimate, Z, ratio
from regraft.metrics.intervals import FEW_USERS, Resampler

GROUPS = 200  # people are resampled in at most so many groups


def diversity(shown: pl.DataFrame, codes: Mapping[str, int], vectors: csr_array) -> Estimate:
    """Mean over lists of 1 - the mean cosine of two different items of the list, 0 (all alike) to 1.

    Intra-list diversity (Ziegler et al. 2005) by the items' columns. Lists of one item say nothing. Interval: delta
    method over people.
    """
    known = shown.filter(pl.col("item_id").is_in(list(codes)))
    lists, uids = known.select("request_id", "uid").unique(maintain_order=True)
    if not len(lists):
        return NOTHING
    of = known.select("request_id").join(
        pl.DataFrame({"request_id": lists}).with_row_index("list"), on="request_id", how="left", maintain_order="left"
    )["list"].to_numpy()  # fmt: skip
    item = np.array([codes[one] for one in known["item_id"]])
    member = csr_array((np.ones(len(item)), (of, item)), shape=(len(lists), vectors.shape[0]))
    size = np.bincount(of, minlength=len(lists))
    lengths = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    sums = member @ vectors
    squares = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    several = size > 1
    pairs = np.where(several, size * (size - 1.0), 1.0)
    apart = 1.0 - (squares - member @ lengths) / pairs
    people = (
        pl.DataFrame({"uid": uids, "apart": apart, "lists": several})
        .filter("lists").group_by("uid").agg(pl.col("apart").sum(), pl.col("lists").sum())
    )  # fmt: skip
    return ratio(people["apart"], people["lists"], highest=1.0)


def concentration(shown: pl.DataFrame, items: int, resamples: int = 200, seed: int = 0) -> Estimate:
    """Gini coefficient of how often each of the catalogue's `items` was shown, 0 (all alike) to 1 (one has all).

    G = sum_i (2 i - I - 1) c_i / (I sum_i c_i), c ascending, i = 1 to I. Lower is more even. Interval: groups of
    people are drawn with replacement, normal.
    """
    n = shown["uid"].n_unique()
    if not n or not items:
        return NOTHING
    _, item = np.unique(shown["item_id"].to_numpy(), return_inverse=True)
    _, person = np.unique(shown["uid"].to_numpy(), return_inverse=True)
    group = person % min(n, GROUPS)
    counts = csr_array((np.ones(len(item)), (group, item)), shape=(int(group.max()) + 1, int(item.max()) + 1))
    value = float(_gini(np.asarray(counts.sum(axis=0))[None], items)[0])
    if n < FEW_USERS:
        return Estimate(value, NAN, NAN, n)
    resampler = Resampler(np.arange(counts.shape[0]), resamples, seed)
    drawn = np.concatenate([_gini(drawn @ counts, items) for drawn in resampler.batches()])
    width = Z * float(drawn.std())
    return Estimate(value, max(value - width, 0.0), min(value + width, 1.0), n)


def _gini(counts: np.ndarray, items: int) -> np.ndarray:
    """Of every row of counts; items that are not among them were never shown."""
    ascending = np.sort(counts, axis=1)
    place = np.arange(items - counts.shape[1] + 1, items + 1)
    found: np.ndarray = (ascending @ (2 * place - items - 1.0)) / (items * ascending.sum(axis=1))
    return found
