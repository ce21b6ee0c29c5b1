"""Counts and sums "as of" a row: what a group (an item, a user) had gathered among the rows known by then.

`AsOf` grows: rows are added at the end, one or a million at a time. Every question names how many leading
rows of the log may be used (regimes.py), so the answer does not depend on rows added later. A question about
one group costs a binary search in the rows of this group, whatever the size of the log.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from regraft.data.user_order import ranges

GRID = 2.0**24


def on_grid(values: np.ndarray) -> np.ndarray:
    """Values rounded to multiples of 2**-24: their sums are exact, whatever the order and the neighbours."""
    return np.rint(np.asarray(values, dtype=np.float64) * GRID) / GRID


class Grown:
    """A one-dimensional array that grows at its end; `values` shows what it holds."""

    def __init__(self, values: np.ndarray) -> None:
        self.data, self.n = values, len(values)

    @property
    def values(self) -> np.ndarray:
        return self.data[: self.n]

    def extend(self, values: np.ndarray) -> None:
        end = self.n + len(values)
        if end > len(self.data):
            grown = np.zeros(max(end, 2 * self.n, 16), dtype=self.data.dtype)
            grown[: self.n] = self.values
            self.data = grown
        self.data[self.n : end] = values
        self.n = end


class AsOf:
    """Rows of each group in ascending order, with columns: plain values, and running sums inside the group.

    Group g owns places `start[g]` to `start[g] + size[g]` of `row` and of every column; a group that outgrows its
    room moves to the end. Group -1 is a stranger and has no rows: the last entry of `start` and `size` stays 0.
    """

    def __init__(self, plain: Mapping[str, type] = {}, summed: tuple[str, ...] = ()) -> None:
        self.start, self.size, self.room = (np.zeros(1, dtype=np.int64) for _ in range(3))
        self.row = Grown(np.zeros(1, dtype=np.int64))  # one place is spare, so that an index into it is never wrong
        self.plain = {name: Grown(np.zeros(1, dtype=kind)) for name, kind in plain.items()}
        self.summed = {name: Grown(np.zeros(1)) for name in summed}

    def __getitem__(self, name: str) -> np.ndarray:
        """A plain column, by place."""
        return self.plain[name].values

    def append(self, group: np.ndarray, row: np.ndarray, **columns: np.ndarray) -> np.ndarray:
        """Adds rows, which ascend and follow all earlier ones; gives how many rows of its group precede each.

        Values of summed columns are rounded by `on_grid`.
        """
        if not len(group):
            return np.zeros(0, dtype=np.int64)
        order = np.argsort(group, kind="stable")
        ordered = group[order]
        first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        owner, added = ordered[first].astype(np.int64), np.diff(first, append=len(group))
        self._make_room(owner, added)
        before = self.size[owner]
        index = np.repeat(before - first, added) + np.arange(len(group))
        place = np.repeat(self.start[owner], added) + index
        self.row.data[place] = row[order]
        for name, column in self.plain.items():
            column.data[place] = columns[name][order]
        for name, column in self.summed.items():
            values = on_grid(columns[name][order])
            total = np.cumsum(values)
            earlier = self.sum(name, owner, before) - (total[first] - values[first])
            column.data[place] = total + np.repeat(earlier, added)
        self.size[owner] += added
        rank = np.empty(len(group), dtype=np.int64)
        rank[order] = index
        return rank

    def reserve(self, n_groups: int) -> None:
        """From now on the groups 0 to n_groups - 1 may be asked about."""
        if n_groups >= len(self.start):
            more = max(n_groups + 1, 2 * len(self.start)) - len(self.start)
            for name in ("start", "size", "room"):
                setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, dtype=np.int64)]))

    def expect(self, added: np.ndarray) -> None:
        """Takes the room for `added[g]` more rows of every group at once: none of them moves, and leaves a gap, later.

        A log that is read whole is held in half of the memory that it takes where it grows row by row.
        """
        owner = np.flatnonzero(added)
        if len(owner):
            self._make_room(owner, added[owner], spare=8)

    def _make_room(self, owner: np.ndarray, added: np.ndarray, spare: int = 2) -> None:
        """Room for `added` more rows of each owner, and for one in `spare` of all its rows."""
        self.reserve(int(owner.max()) + 1)
        needed = self.size[owner] + added
        tight = needed > self.room[owner]
        if not tight.any():
            return
        moved, room = owner[tight], needed[tight] + needed[tight] // spare + 2
        start = self.row.n + np.cumsum(room) - room
        old, new = ranges(self.start[moved], self.size[moved]), ranges(start, self.size[moved])
        for column in (self.row, *self.plain.values(), *self.summed.values()):
            column.extend(np.zeros(int(room.sum()), dtype=column.data.dtype))
            column.data[new] = column.data[old]
        self.start[moved], self.room[moved] = start, room

    def count(self, group: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Rows of the group among the first `known` rows of the log."""
        if len(group) > self.row.n:
            return self._count_many(group, known)
        row, start = self.row.values, self.start[group]
        low, high = start.copy(), start + self.size[group]
        all_known = row[high - 1] < known  # mostly so
        low[all_known] = high[all_known]
        open_ = np.flatnonzero(low < high)
        while len(open_):
            middle = (low[open_] + high[open_]) // 2
            below = row[middle] < known[open_]
            low[open_[below]] = middle[below] + 1
            high[open_[~below]] = middle[~below]
            open_ = open_[low[open_] < high[open_]]
        return low - start

    def _count_many(self, group: np.ndarray, known: np.ndarray) -> np.ndarray:
        """As `count`, by one search in all rows: faster where there are more questions than rows."""
        owner = np.repeat(np.arange(len(self.size)), self.size)
        span = np.int64(max(int(self.row.values.max()), int(known.max())) + 1)
        keys = owner * span + self.row.values[ranges(self.start, self.size)]
        before = np.cumsum(self.size) - self.size
        return np.searchsorted(keys, group.astype(np.int64) * span + known) - before[group]

    def first(self, group: np.ndarray) -> np.ndarray:
        """First row of each group; 0 for a group without rows."""
        return np.where(self.size[group] > 0, self.row.values[self.start[group]], 0)

    def sum(self, name: str, group: np.ndarray, count: np.ndarray, last: int | None = None) -> np.ndarray:
        """Sum of a column over the group's first `count` rows, or over the `last` of those.

        The sums are exact: they do not depend, not even in the last bit, on rows that come later.
        """
        total, start = self.summed[name].values, self.start[group]
        found = np.where(count > 0, total[start + count - 1], 0.0)
        if last is None:
            return found
        rest = np.maximum(count - last, 0)
        return found - np.where(rest > 0, total[start + rest - 1], 0.0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything it holds."""
        grown = {"row": self.row, **self.plain, **self.summed}
        return {"start": self.start, "size": self.size, "room": self.room} | {n: g.values for n, g in grown.items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> AsOf:
        """Takes over what `arrays` gave."""
        self.start, self.size, self.room = arrays["start"], arrays["size"], arrays["room"]
        self.row = Grown(arrays["row"])
        for columns in (self.plain, self.summed):
            columns.update({name: Grown(arrays[name]) for name in columns})
        return self
