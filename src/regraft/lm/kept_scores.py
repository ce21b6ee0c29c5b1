"""Scores or states that were worked out once: rows of one log under one adapter, with what they took."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from regraft.cost import Cost
from regraft.files import whole
from regraft.lm.owner import owned_by


@dataclass(frozen=True)
class KeptScores:
    """Scores of rows of one log under one adapter, and which pass over the log each row comes from.

    States are kept likewise: then `scores` is float32 [rows, width].

    A file of them is a whole of its own. Where several processes add to one, the last to write wins: rows of the
    others are lost and will be scored again, and none is wrong.
    """

    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # ascending
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    passes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int32))  # per row: its pass
    owners: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.uint64))  # [rows, 2] whose row it is
    costs: tuple[Cost, ...] = ()  # per pass: what it took for all its rows

    def with_rows(self, rows: np.ndarray, scores: np.ndarray, cost: Cost, owners: np.ndarray) -> KeptScores:
        """The rows of another pass beside these; a row that is here already keeps its score and its pass."""
        new = ~np.isin(rows, self.rows)
        if not new.any():
            return self
        rows, scores, owners = rows[new], scores[new], owners[new]
        all_rows = np.concatenate([self.rows, rows])
        all_scores = np.concatenate([self.scores, scores]) if len(self.rows) else scores
        order = np.argsort(all_rows)
        passes = np.concatenate([self.passes, np.full(len(rows), len(self.costs), np.int32)])
        owners = np.concatenate([self.owners, owners])
        return KeptScores(all_rows[order], all_scores[order], passes[order], owners[order], (*self.costs, cost))

    def without(self, owner: np.ndarray) -> KeptScores:
        """What is left where one owner's rows [2] are taken away."""
        stays = ~owned_by(self.owners, owner)
        before, after = (np.bincount(p, minlength=len(self.costs)) for p in (self.passes, self.passes[stays]))
        costs = tuple(c.share(n / m) if m else c for c, n, m in zip(self.costs, after, before, strict=True))
        return KeptScores(self.rows[stays], self.scores[stays], self.passes[stays], self.owners[stays], costs)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Scores of rows that are all here, in their order."""
        return np.asarray(self.scores[np.searchsorted(self.rows, rows)])

    def cost(self, rows: np.ndarray) -> Cost:
        """What the rows' scores took, each its share of its pass: what came before or after plays no part in it."""
        size = np.bincount(self.passes, minlength=len(self.costs))
        wanted = np.bincount(self.passes[np.searchsorted(self.rows, rows)], minlength=len(self.costs))
        shares = [c.share(n / m) for c, n, m in zip(self.costs, wanted, size, strict=True) if n]
        return reduce(add, shares, Cost())

    def save(self, path: Path) -> None:
        costs = json.dumps([cost.as_dict() for cost in self.costs])

        def write(part: Path) -> None:
            with part.open("wb") as file:  # NumPy would give a name another ending
                np.savez(
                    file, rows=self.rows, scores=self.scores, passes=self.passes, owners=self.owners, costs=costs
                )  # fmt: skip

        whole(path, write)

    @classmethod
    def load(cls, path: Path) -> KeptScores:
        """What `save` wrote; nothing where the file is damaged or of an earlier version: its rows are scored again."""
        try:
            with np.load(path) as saved:
                costs = tuple(Cost(**cost) for cost in json.loads(str(saved["costs"])))
                kept = cls(saved["rows"], saved["scores"], saved["passes"], saved["owners"], costs)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error):
            return cls()
        per_row = {len(values) for values in (kept.rows, kept.scores, kept.passes, kept.owners)}
        whole = len(per_row) == 1 and kept.passes.max(initial=-1) < len(costs)
        return kept if whole and np.isfinite(kept.scores).all() else cls()
