"""How a run stands while it runs: finished cells, mean AUC so far and seconds of every contender."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from regraft.arena.cell import Cell
from regraft.arena.compare import Arena
from regraft.metrics.binary import auc


@dataclass
class Score:
    """One contender so far. Seconds are CPU seconds charged to it, shared work included, as in the report."""

    cells: int
    finished: int = 0
    aucs: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def auc(self) -> float | None:
        """Mean over finished cells; None before the first."""
        known = [a for a in self.aucs if not np.isnan(a)]
        return float(np.mean(known)) if known else None


class Scoreboard:
    """Filled cell by cell from what the run wrote."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.cells = arena.cells()
        self.scores: dict[str, Score] = {}
        for cell in self.cells:
            self.scores.setdefault(cell.contender.label, Score(0)).cells += 1

    @property
    def finished(self) -> int:
        return sum(score.finished for score in self.scores.values())

    @property
    def next(self) -> Cell | None:
        """The cell that is being worked on, None at the end."""
        return self.cells[self.finished] if self.finished < len(self.cells) else None

    def add(self, cell: Cell) -> float:
        """Takes in a finished cell; its AUC on the period it was made for, NaN where all labels are the same."""
        scores = cell.scores(self.arena.folder).filter(pl.col("period") == cell.update + 1)
        cost = cell.cost(self.arena.folder)
        label = self.arena.stream.label[scores["case"].to_numpy()]
        value = auc(label, scores["score"].to_numpy()) if len(scores) else float("nan")
        score = self.scores[cell.contender.label]
        score.finished += 1
        score.aucs.append(value)
        score.seconds += cost["cpu_seconds"] + cost["score_cpu_seconds"]
        return value
