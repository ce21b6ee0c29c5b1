"""Sums over users for pairs of items: residual products and joint ratings, and the similarity they give.

A pair of events is one user's event with an earlier event of the same user. Each is added once. Products are
rounded to multiples of 2**-30, so their sums are exact: the order of additions, the storage (dense or sorted
keys) and items that appear later do not change a bit of any similarity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

from regraft.data.user_order import ranges

SHRINK = 50.0  # people who rated both items at which a similarity counts half
DENSE_ITEMS = 5_000  # items up to which the sums may be dense arrays: 16 bytes per pair of items
DENSE_SHARE = 0.02  # share of the pairs of items that must have a sum before dense arrays are faster
BATCH = 1 << 18  # pairs of events handled at once: their arrays stay in the processor's cache
GRID = 2.0**30
TILE = 256
NORM = 1e-3  # least sum of squared residuals of an item


class Store(Protocol):
    """Storage of sums per unordered pair of different items."""

    def add(self, one: np.ndarray, other: np.ndarray, product: np.ndarray, joint: np.ndarray) -> None: ...

    def get(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(products, joint) of the pairs, 0 where the pair has no sum."""

    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(one, other, product, joint) of all pairs that have a sum, in ascending order."""


class PairSums:
    """Sums per pair of item codes; `square` and `alone` are those of an item with itself."""

    def __init__(self) -> None:
        self.square = np.zeros(0)
        self.alone = np.zeros(0, dtype=np.int64)
        self.store: Store = SortedStore()
        self._asked = 0  # pairs looked up since the last event
        self._table: np.ndarray | None = None  # made for them where they are many

    def add(
        self, item: np.ndarray, residual: np.ndarray, start: np.ndarray, count: np.ndarray,
        line_item: np.ndarray, line_residual: np.ndarray,
    ) -> None:  # fmt: skip
        """Adds events, each with its user's earlier ones: `line_*[start : start + count]` of the users' time lines."""
        if not len(item):
            return
        self._asked, self._table = 0, None
        self._reserve(int(item.max()) + 1)
        by_item = np.argsort(item, kind="stable")  # cases of one item read and write the same rows of memory
        item, residual, start, count = item[by_item], residual[by_item], start[by_item], count[by_item]
        np.add.at(self.square, item, _on_grid(residual * residual))
        np.add.at(self.alone, item, 1)
        for part, line in pairs(start, count):
            one, other = np.repeat(item[part], count[part]), line_item[line]
            product = _on_grid(np.repeat(residual[part], count[part]) * line_residual[line])
            if (same := one == other).any():  # a user rated the item twice
                np.add.at(self.square, one[same], 2 * product[same])
                np.add.at(self.alone, one[same], 2)
                one, other, product = one[~same], other[~same], product[~same]
            self.store.add(one, other, product, np.ones(len(one), dtype=np.int32))
        self._choose()

    def _reserve(self, n_items: int) -> None:
        more = n_items - len(self.square)
        if more > 0:
            self.square = np.concatenate([self.square, np.zeros(more)])
            self.alone = np.concatenate([self.alone, np.zeros(more, dtype=np.int64)])
        if n_items > DENSE_ITEMS and isinstance(self.store, DenseStore):
            self.store = _moved(self.store, SortedStore())

    def _choose(self) -> None:
        """Dense arrays once many pairs have a sum."""
        n = len(self.square)
        if isinstance(self.store, SortedStore) and n <= DENSE_ITEMS and len(self.store) > DENSE_SHARE * n * n / 2:
            self.store = _moved(self.store, DenseStore())

    def similarity(self, expected: int) -> Similarity:
        """The similarity as of now; `expected` says how many pairs will be looked up.

        Many pairs, asked at once or by many requests one after the other, are looked up in a table that is made once.
        """
        self._asked += expected
        if self._table is None and isinstance(self.store, DenseStore) and self._asked > len(self.square) ** 2 / 4:
            self._table = self.store.similarities(self.square, self.alone)
        return Similarity(self, self._table)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything it holds."""
        names = ("one", "other", "product", "joint")
        return {"square": self.square, "alone": self.alone, **dict(zip(names, self.store.cells(), strict=True))}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> PairSums:
        """The sums that gave `arrays`."""
        sums = cls()
        sums.square, sums.alone = arrays["square"], arrays["alone"]
        sums.store.add(arrays["one"], arrays["other"], arrays["product"], arrays["joint"])
        sums._choose()
        return sums


class Similarity:
    """Shrunk cosine of the residuals of two items (Bell and Koren 2007), float32; negative ones are 0."""

    def __init__(self, sums: PairSums, table: np.ndarray | None) -> None:
        self.sums, self.table = sums, table

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """One number per pair; 0 for items that the sums do not know."""
        n = len(self.sums.square)
        if not n:
            return np.zeros(len(one), dtype=np.float32)
        known = None
        if max(int(one.max(initial=0)), int(other.max(initial=0))) >= n:
            known = (one < n) & (other < n)
            one, other = np.where(known, one, 0), np.where(known, other, 0)
        if self.table is not None:
            found = self.table.reshape(-1).take(one.astype(np.int64) * n + other, mode="clip")
        else:
            square = self.sums.square
            product, joint = self.sums.store.get(one, other)
            if (same := one == other).any():
                product[same], joint[same] = square[one[same]], self.sums.alone[one[same]]
            found = _shrunk_cosine(product, joint, _norm(square[one]), _norm(square[other]))
        return found if known is None else np.where(known, found, np.float32(0))


def _norm(square: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(square, NORM))


def _shrunk_cosine(product: np.ndarray, joint: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    cosine = product / (one * other)
    cosine *= joint / (joint + SHRINK)
    return np.maximum(cosine, 0.0).astype(np.float32)


def pairs(start: np.ndarray, count: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """(cases, positions of their pairs on the time lines, one case after the other), about BATCH pairs at a time."""
    total = np.concatenate([[0], np.cumsum(count)])
    first = 0
    while first < len(start):
        end = max(first + 1, int(np.searchsorted(total, total[first] + BATCH, side="right")) - 1)
        part = slice(first, end)
        if total[end] > total[first]:
            yield part, ranges(start[part], count[part])
        first = end


class SortedStore:
    """Ascending keys `larger code * 2**32 + smaller code` with their sums; for logs where few items meet."""

    def __init__(self) -> None:
        self.key, self.product = np.zeros(0, dtype=np.int64), np.zeros(0)
        self.joint = np.zeros(0, dtype=np.int32)
        self._new: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, one: np.ndarray, other: np.ndarray, product: np.ndarray, joint: np.ndarray) -> None:
        key = (np.maximum(one, other).astype(np.int64) << 32) + np.minimum(one, other)
        self._new.append(_summed(key, product, joint))
        if sum(len(k) for k, *_ in self._new) > max(len(self.key), 8 * BATCH):
            self._merge()

    def _merge(self) -> None:
        if self._new:
            parts = [(self.key, self.product, self.joint), *self._new]
            self.key, self.product, self.joint = _summed(*(np.concatenate(p) for p in zip(*parts, strict=True)))
            self._new = []

    def __len__(self) -> int:
        self._merge()
        return len(self.key)

    def get(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._merge()
        key = (np.maximum(one, other).astype(np.int64) << 32) + np.minimum(one, other)
        if not len(self.key):
            return np.zeros(len(key)), np.zeros(len(key), dtype=np.int32)
        at = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        found = self.key[at] == key
        return np.where(found, self.product[at], 0.0), np.where(found, self.joint[at], 0)

    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        self._merge()
        return self.key >> 32, self.key & 0xFFFFFFFF, self.product, self.joint


def _summed(key: np.ndarray, product: np.ndarray, joint: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equal keys become one, in ascending order."""
    if not len(key):
        return key, product, joint
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    return key[first], np.add.reduceat(product[order], first), np.add.reduceat(joint[order], first)


class DenseStore:
    """Square arrays; the sum of a pair is that of its two cells. Memory is taken as items appear."""

    def __init__(self) -> None:
        self.product = np.zeros((DENSE_ITEMS, DENSE_ITEMS))
        self.joint = np.zeros((DENSE_ITEMS, DENSE_ITEMS), dtype=np.int32)
        self.used = 0

    def add(self, one: np.ndarray, other: np.ndarray, product: np.ndarray, joint: np.ndarray) -> None:
        cell = one.astype(np.int64) * DENSE_ITEMS + other
        np.add.at(self.product.reshape(-1), cell, product)
        np.add.at(self.joint.reshape(-1), cell, joint)
        self.used = max(self.used, int(max(one.max(initial=-1), other.max(initial=-1))) + 1)

    def get(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.product[one, other] + self.product[other, one], self.joint[one, other] + self.joint[other, one]

    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        n = self.used
        joint = self.joint[:n, :n] + self.joint[:n, :n].T
        one, other = np.nonzero(np.tril(joint, -1))
        return one, other, self.product[one, other] + self.product[other, one], joint[one, other]

    def similarities(self, square: np.ndarray, alone: np.ndarray) -> np.ndarray:
        """float32 [items, items]; tile by tile, because a transposed read of whole rows is slow."""
        n, norm = len(square), _norm(square)
        table = np.empty((n, n), dtype=np.float32)
        for a in range(0, n, TILE):
            down = slice(a, min(a + TILE, n))
            for b in range(0, a + 1, TILE):
                across = slice(b, min(b + TILE, n))
                product = self.product[down, across] + self.product[across, down].T
                joint = self.joint[down, across] + self.joint[across, down].T
                if a == b:
                    np.fill_diagonal(product, square[down])
                    np.fill_diagonal(joint, alone[down])
                found = _shrunk_cosine(product, joint, norm[down, None], norm[across])
                table[down, across], table[across, down] = found, found.T
        return table


def _moved(store: Store, to: Store) -> Store:
    to.add(*store.cells())
    return to


def _on_grid(products: np.ndarray) -> np.ndarray:
    scaled = products * GRID
    np.rint(scaled, out=scaled)
    scaled *= 1 / GRID
    return scaled
