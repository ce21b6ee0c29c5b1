"""How alike items are by their texts, as of the start of a chunk, and the content facts that follow from it.

With s the cosine of two items' vectors, cut at 0 and rounded to multiples of 2**-12:

    alike_rate  (sum of s^2 n rate over the 50 nearest known items + 10 mean) / (sum of s^2 n + 10)
    alike_vote  the vote of `kin` (data/neighbours.py) with s^2 for its weights; the item itself counts, as there
    alike_best  the largest s to another item that the user liked

What is fitted (IDF, the 50 nearest) sees the items known at the start of the chunk. Dot products are exact (vectors
lie on a grid), so no number depends on what else is asked at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from scipy.sparse import csr_array, vstack

from regraft.data.neighbours import faded_mean
from regraft.data.pair_sums import pairs
from regraft.prompts.similarity.protocol import Vectors, on_grid, similarity_of

NEAREST = 50
PRIOR = 10.0  # ratings of an average item added to those of the items alike
BLOCK = 512  # items whose similarities are held at once
GRID = 2.0**12
CONTENT = ("alike_rate", "alike_vote", "alike_best")
# (item codes, known rows) -> (ratings, likes): per item among the leading rows known
Sums = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Alike:
    """Vectors of all items by code, and the nearest known items of those that were asked about."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self.similarity = similarity_of(setting)
        self.items = pl.DataFrame(schema={"item_id": pl.String})  # texts by code
        self.fitted = 0  # rows known at the last fit
        self.known = np.zeros(0, dtype=np.int64)  # codes of the items known at the last fit, by first appearance
        self._take_vectors(None)

    def _take_vectors(self, vectors: Vectors | None) -> None:
        """Vectors of the first codes; the nearest items of all are looked up when they are asked about."""
        self.vectors = vectors
        self._turned: Vectors | None = None  # the same as columns
        self._near = np.full((len(self), NEAREST), -1, dtype=np.int32)  # -1: there are fewer
        self._near_s = np.zeros((len(self), NEAREST), dtype=np.float32)
        self._done = np.zeros(len(self), dtype=bool)

    def __len__(self) -> int:
        return 0 if self.vectors is None else self.vectors.shape[0]

    # -- what it is told -------------------------------------------------------------------------

    def know(self, items: pl.DataFrame) -> None:
        """Texts of the items by code. Those that have a vector keep it until the next fit."""
        self.items = items

    def fit(self, known: np.ndarray, rows: int) -> None:
        """Fits on the items with these codes, in the order of their first events; `rows` are known by now."""
        self.fitted, self.known = rows, known
        self.similarity.fit(self.items[known])
        self._take_vectors(None)

    def reserve(self, n_items: int) -> None:
        """The items 0 to n_items - 1 get a vector, if they have none."""
        have, more = len(self), n_items - len(self)
        if more <= 0:
            return
        self._turned = None
        new = on_grid(self.similarity.vectors(self.items[have:n_items]))
        if self.vectors is None:
            self.vectors = new
        elif isinstance(new, np.ndarray):
            self.vectors = np.concatenate([self.vectors, new])
        else:
            self.vectors = csr_array(vstack([self.vectors, new], format="csr"))
        room = ((0, more), (0, 0))
        self._near = np.pad(self._near, room, constant_values=-1)
        self._near_s = np.pad(self._near_s, room)
        self._done = np.pad(self._done, room[0])

    # -- what it is asked ------------------------------------------------------------------------

    def facts(
        self, item: np.ndarray, known: np.ndarray, mean: np.ndarray, usual: np.ndarray | None, sums: Sums,
        start: np.ndarray, count: np.ndarray, line_item: np.ndarray, line_residual: np.ndarray,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """The content facts of each case; code -1 is a stranger.

        `known` leading rows may be used for the numbers about items, `mean` is the rate of all items then. On a log
        without dislikes `usual` are the events of an average item then: an item with n events won n of n + usual. The
        history of a case is `line_*[start : start + count]`.
        """
        found = {name: np.zeros(len(item)) for name in CONTENT} | {"alike_rate": mean.astype(np.float64)}
        own = np.flatnonzero(item >= 0)
        order = own[np.argsort(item[own], kind="stable")]
        codes, first = np.unique(item[order], return_index=True)
        edges = np.append(first, len(order))
        for a in range(0, len(codes), BLOCK):
            b = min(a + BLOCK, len(codes))
            cases = order[edges[a] : edges[b]]
            local = np.repeat(np.arange(b - a), np.diff(edges[a : b + 1]))
            self._block(codes[a:b], local, cases, item, start, count, line_item, line_residual, found)
            common = None if usual is None else usual[cases]
            found["alike_rate"][cases] = self._rate(item[cases], known[cases], sums, mean[cases], common)
        return found

    def _block(
        self, codes: np.ndarray, local: np.ndarray, cases: np.ndarray, item: np.ndarray, start: np.ndarray,
        count: np.ndarray, line_item: np.ndarray, line_residual: np.ndarray, found: dict[str, np.ndarray],
    ) -> None:  # fmt: skip
        """Votes and best of the cases of some items: `codes[local]` are those of the cases."""
        start, count = start[cases], count[cases]
        if self._done[codes].all():  # a service that asks again: only the history is compared
            others = np.unique(np.concatenate([np.zeros(0, np.int64), *(line_item[p] for _, p in pairs(start, count))]))
            place = np.zeros(len(self), dtype=np.int64)
            place[others] = np.arange(len(others))
        else:
            others = place = np.arange(len(self))
        table = self._cosines(codes, others)
        if others is place:
            self._look_up(codes, table)
        for part, line in pairs(start, count):
            n = count[part]
            some = np.flatnonzero(n)
            begin = np.concatenate([[0], np.cumsum(n[some])[:-1]])
            other, residual = line_item[line], line_residual[line]
            s = table[np.repeat(local[part], n), place[other]].astype(np.float64) / GRID
            to = cases[part][some]
            found["alike_vote"][to] = faded_mean(s * s, residual, begin)
            best = np.where((residual > 0) & (other != np.repeat(item[cases[part]], n)), s, 0.0)
            found["alike_best"][to] = np.maximum.reduceat(best, begin)

    def _rate(
        self, item: np.ndarray, known: np.ndarray, sums: Sums, mean: np.ndarray, usual: np.ndarray | None
    ) -> np.ndarray:
        rate = np.empty(len(item))
        size = max(1, (1 << 20) // NEAREST)
        for first in range(0, len(item), size):
            part = slice(first, first + size)
            near = self._near[item[part]]
            weight = np.square(self._near_s[item[part]].astype(np.float64))
            # Neighbours with no weight are not looked up; those of one item lie together, in the order of time.
            row, column = np.nonzero(weight)
            n, likes = sums(near[row, column], known[part][row])
            w = weight[row, column]
            top = np.bincount(row, w * likes, minlength=len(near)).astype(np.float64)  # int where there is none
            mass = np.bincount(row, w * n, minlength=len(near)).astype(np.float64)
            if usual is not None:
                mass += usual[part] * weight.sum(axis=1)
            rate[part] = (top + PRIOR * mean[part]) / (mass + PRIOR)
        return rate

    def _look_up(self, codes: np.ndarray, table: np.ndarray) -> None:
        """Finds the nearest known items of the codes; of equally near ones those that appeared first.

        `table` holds the cosines of the codes with all items.
        """
        self._done[codes] = True
        n = len(self.known)
        if not n:
            return
        place = np.full(len(self), -1)
        place[self.known] = np.arange(n)
        # One number says how near and which: no two are equal, so what is cut off does not depend on the sorting.
        rank: np.ndarray = np.take(table, self.known, axis=1).astype(np.int32 if n * (GRID + 1) < 2**31 else np.int64)
        np.multiply(rank, n, out=rank)
        np.add(rank, np.arange(n - 1, -1, -1, dtype=rank.dtype), out=rank)
        own = np.flatnonzero(place[codes] >= 0)
        rank[own, place[codes[own]]] = 0  # not itself
        k = min(NEAREST, n)
        nearest = np.partition(rank, n - k, axis=1)[:, n - k :]
        self._near[codes, :k] = self.known[n - 1 - nearest % n]
        self._near_s[codes, :k] = nearest // n / GRID

    def _cosines(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """float32 [some, others]: cosines, cut at 0, in whole multiples of 1 / GRID."""
        assert self.vectors is not None
        whole = len(others) == len(self)
        if whole and self._turned is None:
            turned = self.vectors.T
            self._turned = turned if isinstance(turned, np.ndarray) else turned.tocsr()
        product = self.vectors[some] @ (self._turned if whole else self.vectors[others].T)
        cosine = product if isinstance(product, np.ndarray) else product.toarray()
        cosine *= np.float32(GRID)
        np.rint(cosine, out=cosine)
        return np.clip(cosine, 0, np.float32(GRID), out=cosine)

    # -- as plain arrays -------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """What was fitted and the vectors; the texts are kept by who told them."""
        own = {"fitted": np.array([self.fitted]), "known": self.known}
        if isinstance(self.vectors, np.ndarray):
            own["vectors"] = self.vectors
        elif self.vectors is not None:
            v = self.vectors
            own |= {"data": v.data, "indices": v.indices, "indptr": v.indptr, "shape": np.array(v.shape)}
        return own | {f"similarity.{name}": array for name, array in self.similarity.arrays().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Takes over what `arrays` gave."""
        self.fitted, self.known = int(arrays["fitted"][0]), arrays["known"]
        prefix = "similarity."
        self.similarity.restore({n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)})
        vectors = arrays.get("vectors")
        if "data" in arrays:
            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            vectors = csr_array(parts, shape=tuple(map(int, arrays["shape"])))
        self._take_vectors(vectors)
