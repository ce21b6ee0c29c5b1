"""Scores that were worked out once: rows of one log under one adapter, with what they took."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from regraft.cost import Cost
from regraft.lm.staging import staging_for


@dataclass(frozen=True)
class KeptScores:
    """Scores of rows of one log under one adapter, with what they took together."""

    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # ascending
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    cost: Cost = field(default_factory=Cost)

    def with_rows(self, rows: np.ndarray, scores: np.ndarray, cost: Cost) -> KeptScores:
        all_rows = np.concatenate([self.rows, rows])
        order = np.argsort(all_rows)
        return KeptScores(all_rows[order], np.concatenate([self.scores, scores])[order], self.cost + cost)

    def save(self, path: Path) -> None:
        staging = staging_for(path)
        with staging.open("wb") as file:
            np.savez(file, rows=self.rows, scores=self.scores, cost=json.dumps(self.cost.as_dict()))
        staging.replace(path)

    @classmethod
    def load(cls, path: Path) -> KeptScores:
        with np.load(path) as saved:
            return cls(saved["rows"], saved["scores"], Cost(**json.loads(str(saved["cost"]))))
