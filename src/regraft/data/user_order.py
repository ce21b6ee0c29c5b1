"""Each user's own time line in a log: rows grouped by user, and how many of them lie above a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class UserOrder:
    """Rows grouped by user in time order: user u owns `rows[start[u]:start[u + 1]]`."""

    rows: np.ndarray  # positions in the stream
    start: np.ndarray
    index: np.ndarray  # per stream row: how many of the user's own rows that happened lie above it

    @classmethod
    def of(cls, user: np.ndarray, happened: np.ndarray) -> UserOrder:
        n_users = int(user.max()) + 1 if len(user) else 0
        real = np.flatnonzero(happened)
        rows = real[np.argsort(user[real], kind="stable")]
        start = np.searchsorted(user[rows], np.arange(n_users + 1))
        return cls(rows, start, count_before(rows, start, user, np.arange(len(user))))

    def until(self, end: int, n_users: int) -> UserOrder:
        """The order of the rows [0, end)."""
        if end == len(self.index):
            return self
        keep = self.rows < end
        owner = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))[keep]
        start = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n_users))])
        return UserOrder(self.rows[keep], start, self.index[:end])

    def known(self, user: np.ndarray, known_rows: np.ndarray) -> np.ndarray:
        """How many of each user's own rows lie among the first `known_rows` rows of the stream."""
        return count_before(self.rows, self.start, user, known_rows)


def count_before(rows: np.ndarray, start: np.ndarray, group: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """For each (group, limit): how many of the group's rows (ascending inside a group) are < limit."""
    if not len(rows):
        return np.zeros(len(group), dtype=np.int64)
    span = np.int64(max(int(rows.max()), int(limit.max()) if len(limit) else 0) + 1)
    owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
    keys = owner * span + rows
    return np.searchsorted(keys, group.astype(np.int64) * span + limit) - start[group]


def ranges(start: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """start[i], start[i] + 1, ... start[i] + lengths[i] - 1 for every i, one after the other."""
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    return np.repeat(start - before, lengths) + np.arange(int(lengths.sum()))
