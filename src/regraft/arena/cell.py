"""A cell of a run: one contender, seed and update, and the folder of files that it left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft.errors import ResultsError
from regraft.files import put_in_place
from regraft.report.lists import RANKED
from regraft.report.results import CELL, COSTS, SCORES
from regraft.setup.config import ContenderOptions

COST = "cost.json"  # a cell's last file: it is there, so all of the cell is
TABLE, CONTENDER, LISTS = "scores.parquet", "contender", "lists.parquet"
CELLS = "cells"  # folder of a run that holds its cells
COST_FIELDS = tuple(name for name in COSTS if name not in CELL)
TABLE_COLUMNS = {name: kind for name, kind in SCORES.items() if name not in CELL}


@dataclass(frozen=True)
class Cell:
    """One contender after one update."""

    contender: ContenderOptions
    seed: int
    update: int

    def __str__(self) -> str:
        return f"{self.contender.label}, seed {self.seed}, update {self.update}"

    def folder(self, run: Path) -> Path:
        return run / CELLS / self.contender.label / f"seed-{self.seed}" / f"{self.update:03d}"

    def finished(self, run: Path) -> bool:
        return (self.folder(run) / COST).is_file()

    def cost(self, run: Path) -> dict[str, Any]:
        """What it took, as it was written down when it was finished; ResultsError where the file is damaged."""
        path = self.folder(run) / COST
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            absent = [name for name in COST_FIELDS if name not in found]
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(path, f"cannot be read: {error}") from error
        if absent:
            raise _damaged(path, f"has no {', '.join(absent)}")
        return dict(found)

    def scores(self, run: Path) -> pl.DataFrame:
        """Columns period, case and score; ResultsError where the file is damaged."""
        path = self.folder(run) / TABLE
        try:
            found = pl.read_parquet(path).select(pl.col(name).cast(kind) for name, kind in TABLE_COLUMNS.items())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(path, f"cannot be read: {_first_line(error)}") from error
        if not found["score"].is_finite().all() or found["score"].null_count():
            raise _damaged(path, "has scores that are no finite numbers")
        return found

    def lists(self, run: Path) -> pl.DataFrame:
        """Ranks of wanted items, columns RANKED; empty where no lists were ranked; ResultsError where damaged."""
        path = self.folder(run) / LISTS
        if not path.is_file():
            return pl.DataFrame(schema=RANKED)
        try:
            return pl.read_parquet(path).select(pl.col(name).cast(kind) for name, kind in RANKED.items())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(path, f"cannot be read: {_first_line(error)}") from error

    def check(self, run: Path, asked: np.ndarray, ranked: bool) -> None:
        """Raises ResultsError where a file is damaged, or not of these cases; `ranked`: there are to be lists."""
        self.cost(run)
        self.lists(run)
        if ranked and not (self.folder(run) / LISTS).is_file():
            raise ResultsError(str(self.folder(run)), "was written before lists were ranked")
        found = self.scores(run)["case"].to_numpy()
        if not np.array_equal(found, asked):
            raise ResultsError(
                str(self.folder(run) / TABLE), f"holds {len(found):,} scores, not those of the {len(asked):,} cases "
                "of its update",
            )  # fmt: skip

    def set_aside(self, run: Path) -> Path:
        """Moves what is there out of the way, and gives the place it was moved to."""
        folder = self.folder(run)
        aside = folder.with_name(f"{folder.name}.damaged")
        if folder.exists():
            put_in_place(folder, aside)
        return aside


def _damaged(path: Path, found: str) -> ResultsError:
    return ResultsError(
        str(path), found, "what a finished cell leaves",
        "Run the arena again with the same command: it works this cell out again and keeps all others",
    )  # fmt: skip


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
