"""How alike items are by their texts, as of the start of a chunk, and the content facts that follow from it.

With s the cosine of two items' vectors, cut at 0 and rounded to multiples of 2**-12:

    alike_rate  (sum of s^2 n rate over the 50 nearest known items + 10 mean) / (sum of s^2 n + 10)
    alike_vote  the vote of `kin` (data/neighbours.py) with s^2 for its weights; the item itself counts, as there
    alike_best  the largest s to another item that the user liked

What is fitted (IDF, the 50 nearest) sees the items known at the start of the chunk (of a very large catalogue some of
them: fact_sums.py). Dot products are exact (vectors lie on a grid), so no number depends on what else is asked at the
same time. Items whose texts are equal share one vector, a "kind": a grocer's thousands of items have few combinations
of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from regraft.data.neighbours import faded_mean
from regraft.data.pair_sums import pairs
from regraft.prompts.few_rows import product_of_few
from regraft.prompts.similarity.protocol import Vectors, on_grid, similarity_of

NEAREST = 50
PRIOR = 10.0  # ratings of an average item added to those of the items alike
BLOCK, CELLS = 512, 1 << 25  # kinds whose similarities are held at once, and how many of these
GRID = 2.0**12
FEW = 256  # kinds in a history up to which they are compared by their own terms alone
CONTENT = ("alike_rate", "alike_vote", "alike_best")
# (item codes, known rows) -> (ratings, likes): per item among the leading rows known
Sums = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Alike:
    """Vectors of all kinds of items, and the nearest known items of those kinds that were asked about."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self.similarity = similarity_of(setting)
        self.items = pl.DataFrame(schema={"item_id": pl.String})  # texts by code
        self.fitted = 0  # rows known at the last fit
        self.known = np.zeros(0, dtype=np.int64)  # codes of the items known at the last fit, by first appearance
        self._take_vectors(None)

    def _take_vectors(self, vectors: Vectors | None, kind: np.ndarray | None = None) -> None:
        """Vectors of kinds, and the kind of each of the first codes; nearest items are looked up when asked about."""
        self.vectors = vectors
        self.kind = np.zeros(0, dtype=np.int64) if kind is None else kind
        self._kinds: dict[tuple[Any, ...], int] = {}  # by texts
        self._turned: Vectors | None = None  # the same as columns, where there are few
        self._near_kinds: tuple[Vectors, np.ndarray] | None = (
            None  # those of known items as columns; place of each item
        )
        # One more than is asked for: an item is not near itself. Nearest last; -1: there are fewer.
        self._near = np.full((self._n_kinds, NEAREST + 1), -1, dtype=np.int32)
        self._near_s = np.zeros((self._n_kinds, NEAREST + 1), dtype=np.float32)
        self._done = np.zeros(self._n_kinds, dtype=bool)

    @property
    def _n_kinds(self) -> int:
        return 0 if self.vectors is None else self.vectors.shape[0]

    def __len__(self) -> int:
        return len(self.kind)

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
        have, kinds = len(self), self._n_kinds
        if n_items <= have:
            return
        unnamed = kinds - len(self._kinds)  # restored: their texts are not kept
        items = self.items[have:n_items]
        texts = items.drop("item_id").iter_rows() if items.width > 1 else [()] * len(items)
        kind = np.array([self._kinds.setdefault(text, unnamed + len(self._kinds)) for text in texts], dtype=np.int64)
        _, first = np.unique(kind, return_index=True)
        self.kind = np.concatenate([self.kind, kind])
        self._add(on_grid(self.similarity.vectors(items[first[kind[first] >= kinds]])))

    def _add(self, new: Vectors) -> None:
        """The next kinds."""
        more = new.shape[0]
        if not more:
            return
        self._turned = None
        if self.vectors is None:
            self.vectors = new
        elif isinstance(new, np.ndarray):
            self.vectors = np.concatenate([self.vectors, new])
        else:
            from scipy.sparse import csr_array, vstack  # here: commands that only look at a site start sooner

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
        order = own[np.lexsort((item[own], self.kind[item[own]]))]
        kinds, first = np.unique(self.kind[item[order]], return_index=True)
        edges = np.append(first, len(order))
        lines = np.concatenate([[0], np.cumsum(count[order])])[edges]
        a = 0
        while a < len(kinds):
            b = min(a + BLOCK, len(kinds))
            while b - a > 1 and (b - a) * min(self._n_kinds, int(lines[b] - lines[a])) > CELLS:
                b = (a + b) // 2
            cases = order[edges[a] : edges[b]]
            local = np.repeat(np.arange(b - a), np.diff(edges[a : b + 1]))
            self._block(kinds[a:b], local, cases, item, start, count, line_item, line_residual, found)
            common = None if usual is None else usual[cases]
            found["alike_rate"][cases] = self._rate(item[cases], known[cases], sums, mean[cases], common)
            a = b
        return found

    def count_alike(self, item: np.ndarray, others: np.ndarray, least: float) -> np.ndarray:
        """How many of the others, but for the item itself, have a similarity of at least `least` to each item."""
        if not len(others):
            return np.zeros(len(item), dtype=np.int64)
        near = self._between(self.kind[item], self.kind[others]) >= least * GRID
        near &= others != item[:, None]
        return near.sum(axis=1)

    def _block(
        self, kinds: np.ndarray, local: np.ndarray, cases: np.ndarray, item: np.ndarray, start: np.ndarray,
        count: np.ndarray, line_item: np.ndarray, line_residual: np.ndarray, found: dict[str, np.ndarray],
    ) -> None:  # fmt: skip
        """Votes and best of the cases of items of some kinds: `kinds[local]` are those of the cases."""
        start, count = start[cases], count[cases]
        done = bool(self._done[kinds].all())
        if not done and len(kinds) * self._n_kinds <= CELLS:  # one table for both
            place, table = np.arange(self._n_kinds), self._with_all(kinds)
            self._look_up(kinds, table, self.kind[self.known])
        else:
            if not done:
                near, near_place = self._with_known()
                self._look_up(kinds, self._cosines(kinds, near), near_place)
            place, table = self._with_lines(kinds, [line_item[p] for _, p in pairs(start, count)])
        for part, line in pairs(start, count):
            n = count[part]
            some = np.flatnonzero(n)
            begin = np.concatenate([[0], np.cumsum(n[some])[:-1]])
            other, residual = line_item[line], line_residual[line]
            s = table[np.repeat(local[part], n), place[self.kind[other]]].astype(np.float64) / GRID
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
            near = self._near[self.kind[item[part]]]
            weight = np.square(self._near_s[self.kind[item[part]]].astype(np.float64))
            itself = near == item[part][:, None]
            weight[itself] = 0
            weight[~itself.any(axis=1), 0] = 0  # of one more than is asked for, the least near
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

    def _look_up(self, kinds: np.ndarray, table: np.ndarray, column: np.ndarray) -> None:
        """Finds the nearest known items of the kinds; of equally near ones those that appeared first.

        `table[:, column[k]]` are the cosines of the kinds with the known item number k.
        """
        self._done[kinds] = True
        n = len(self.known)
        if not n:
            return
        k = min(NEAREST + 1, n)
        # Cosine and place in one whole number: ties, of which short texts have as many as items, cost nothing.
        whole: type[np.integer[Any]] = np.int32 if (GRID + 2) * n < 2**31 else np.int64
        key: np.ndarray = np.take(table, column, axis=1).astype(whole)
        key *= n
        key += np.arange(n - 1, -1, -1, dtype=key.dtype)
        key.partition(n - k, axis=1)
        near, place = np.divmod(np.sort(key[:, n - k :], axis=1), n)  # nearest last, and of equals the first
        self._near[kinds, NEAREST + 1 - k :] = self.known[n - 1 - place]
        self._near_s[kinds, NEAREST + 1 - k :] = near / GRID

    def _with_all(self, kinds: np.ndarray) -> np.ndarray:
        """Cosines of the kinds with all kinds."""
        if self._turned is None:
            self._turned = _turned(self.vectors)
        return self._cosines(kinds, self._turned)

    def _with_known(self) -> tuple[Vectors, np.ndarray]:
        """(kinds of known items as columns, the column of each known item)."""
        if self._near_kinds is None:
            kinds, column = np.unique(self.kind[self.known], return_inverse=True)
            self._near_kinds = _turned(self._of(kinds)), column
        return self._near_kinds

    def _with_lines(self, kinds: np.ndarray, lines: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(place of each kind, cosines with the kinds of the items in some histories at these places)."""
        among = np.zeros(self._n_kinds, dtype=bool)
        for line in lines:
            among[self.kind[line]] = True
        return np.cumsum(among) - 1, self._between(kinds, np.flatnonzero(among))

    def _between(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Cosines of some kinds with some others."""
        if isinstance(self.vectors, np.ndarray) or len(others) > FEW:
            return self._cosines(some, _turned(self._of(others)))
        return _cut(product_of_few(self.vectors, some, others))

    def _of(self, kinds: np.ndarray) -> Vectors:
        """Vectors of the kinds."""
        assert self.vectors is not None
        return self.vectors[kinds]

    def _cosines(self, some: np.ndarray, others: Vectors) -> np.ndarray:
        """float32 [some, others]: cosines, cut at 0, in whole multiples of 1 / GRID; `others` are columns."""
        product = self._of(some) @ others
        return _cut(product if isinstance(product, np.ndarray) else product.toarray())

    # -- as plain arrays -------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """What was fitted and the vectors; the texts are kept by who told them."""
        own = {"fitted": np.array([self.fitted]), "known": self.known, "kind": self.kind}
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
            from scipy.sparse import csr_array

            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            vectors = csr_array(parts, shape=tuple(map(int, arrays["shape"])))
        self._take_vectors(vectors, arrays["kind"])


def _cut(cosine: np.ndarray) -> np.ndarray:
    """Cosines cut at 0, in whole multiples of 1 / GRID, in their place."""
    cosine *= np.float32(GRID)
    np.rint(cosine, out=cosine)
    return np.clip(cosine, 0, np.float32(GRID), out=cosine)


def _turned(vectors: Vectors) -> Vectors:
    """The same as columns."""
    turned = vectors.T
    return turned if isinstance(turned, np.ndarray) else turned.tocsr()
