"""Which items go together: how a user judged the items that people judge alike with this one.

`kin` is the item-item nearest-neighbour vote on residuals (Sarwar et al. 2001; shrinkage as in Bell and
Koren 2007). Nothing is fitted: similarities are sums over the people who judged both items, kept as of the
start of each chunk of rows (periods; slices of the warm-up), while the user's own history is live.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from regraft.data.asof import chunks, on_grid
from regraft.data.stream import Stream, ranges

SHRINK = 50.0  # people who judged both items at which a similarity counts half
FLOOR = 0.5  # similarity mass below which the vote fades to 0
DENSE_ITEMS = 12_000  # up to here item-item sums may be dense arrays, above they are sparse
DENSE_PAIRS = 0.02  # joint judgements per pair of items in the first sums from which dense arrays are faster

Matrix = Any  # np.ndarray where dense, sparse.csr_matrix where not


def kin(stream: Stream, known: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Similarity-weighted mean residual of the user's known history, per row; 0 where nothing is known.

    `residual` is the row's label minus what the item's own rate led to expect; rows that did not happen
    are nobody's history. Positive similarities only: a person who disagrees is no evidence for liking.
    """
    votes = np.zeros(len(stream.time))
    parts = chunks(stream)
    sums = _CoSums(stream, residual, int(known[parts[1][0]]) if len(parts) > 1 else 0)
    for first, end in parts:
        sums.take_until(int(known[first]))
        votes[first:end] = _votes(stream, known, residual, sums.similarity(), first, end)
    return votes


def _votes(
    stream: Stream, known: np.ndarray, residual: np.ndarray, similar: Matrix, first: int, end: int
) -> np.ndarray:
    """Votes for the rows [first, end). Each user's oldest common history goes through one matrix product."""
    order, user, item = stream.order, stream.user[first:end], stream.item[first:end]
    p = order.known(user, known[first:end])
    users, compact = np.unique(user, return_inverse=True)
    shared = np.full(len(users), np.iinfo(np.int64).max)
    np.minimum.at(shared, compact, p)  # the part of the history that all of a user's rows know
    start = order.start[users]
    rows = order.rows[ranges(start, shared)]
    owner = np.repeat(np.arange(len(users)), shared)
    shape = (len(users), len(stream.items))
    verdicts = sparse.csr_matrix((residual[rows].astype(np.float32), (owner, stream.item[rows])), shape=shape)
    seen = sparse.csr_matrix((np.ones(len(rows), np.float32), (owner, stream.item[rows])), shape=shape)
    top, mass = _pick(verdicts @ similar, compact, item), _pick(seen @ similar, compact, item)
    # What some of the user's rows know beyond the common part: few rows, taken one user at a time.
    for u in np.flatnonzero(np.bincount(compact, weights=p - shared[compact], minlength=len(users))):
        mine = np.flatnonzero(compact == u)
        more = order.rows[start[u] + shared[u] : start[u] + p[mine].max()]
        weight = _block(similar, stream.item[more], item[mine])
        visible = np.arange(len(more))[:, None] < (p[mine] - shared[u])[None, :]
        weight = np.where(visible, weight, 0.0).astype(np.float64)
        top[mine] += on_grid(residual[more][:, None] * weight).sum(axis=0)
        mass[mine] += on_grid(weight).sum(axis=0)
    return top / (mass + FLOOR)


class _CoSums:
    """Sums over users of residual products and of joint judgements, for every pair of items."""

    def __init__(self, stream: Stream, residual: np.ndarray, early: int) -> None:
        self.stream, self.residual, self.taken = stream, residual, 0
        n = len(stream.items)
        # Decided by the rows [0, early) of the first sums, so that later rows cannot move a bit of an earlier vote.
        judged = np.bincount(stream.user[:early][stream.happened[:early]], minlength=1).astype(np.float64)
        met = int(stream.item[:early].max(initial=-1)) + 1
        self.dense = n <= DENSE_ITEMS and float((judged**2).sum()) >= DENSE_PAIRS * met**2 > 0
        self.products: Matrix = (
            np.zeros((n, n), np.float32) if self.dense else sparse.csr_matrix((n, n), dtype=np.float32)
        )
        self.joint: Matrix = self.products.copy()

    def take_until(self, end: int) -> None:
        """Adds the rows [taken, end)."""
        s = self.stream
        new = np.arange(self.taken, end)[s.happened[self.taken : end]]
        if len(new):
            users = np.unique(s.user[new])
            old = s.order.rows[ranges(s.order.start[users], s.order.start[users + 1] - s.order.start[users])]
            old = old[old < self.taken]
            compact = np.zeros(len(s.user_ids), dtype=np.int64)
            compact[users] = np.arange(len(users))
            for name, values in (("products", self.residual), ("joint", np.ones(len(s.time)))):
                before, added = (self._by_user(rows, values, compact, len(users)) for rows in (old, new))
                # (before + added)' (before + added) - before' before, without that last large product.
                grown = added.T @ (before + added) + before.T @ added
                setattr(self, name, getattr(self, name) + grown)
        self.taken = max(self.taken, end)

    def _by_user(self, rows: np.ndarray, values: np.ndarray, compact: np.ndarray, n_users: int) -> Matrix:
        s = self.stream
        cells = (compact[s.user[rows]], s.item[rows])
        matrix = sparse.csr_matrix((values[rows].astype(np.float32), cells), shape=(n_users, len(s.items)))
        return matrix.toarray() if self.dense else matrix

    def similarity(self) -> Matrix:
        """Shrunk cosine of residuals, negative ones cut to 0."""
        norm = np.sqrt(np.maximum(self.products.diagonal(), 1e-3)).astype(np.float32)
        if self.dense:
            cosine = self.products / norm[:, None] / norm[None, :]
            return np.maximum(cosine * (self.joint / (self.joint + SHRINK)), 0.0)
        cosine = self.products.tocoo()
        joint = _pick(self.joint, cosine.row, cosine.col).astype(np.float32)
        data = cosine.data / norm[cosine.row] / norm[cosine.col] * (joint / (joint + SHRINK))
        return sparse.csr_matrix((np.maximum(data, 0.0), (cosine.row, cosine.col)), shape=cosine.shape)


def _pick(matrix: Matrix, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    found = matrix[row, column]
    # Where nothing is stored, scipy answers with a sparse matrix.
    return np.asarray(found.toarray() if sparse.issparse(found) else found, dtype=np.float64).ravel()


def _block(matrix: Matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    if isinstance(matrix, np.ndarray):
        return matrix[np.ix_(rows, columns)]
    return np.asarray(matrix[rows][:, columns].todense())
