"""What a run of the arena left on disk, checked before anything is computed from it.

Four files: `run.json` says what was run, `cases.parquet` holds every example, `scores.parquet` one log-odds
per contender, seed, update and case, `costs.parquet` what each update took; where lists were ranked, a fifth,
`ranks.parquet`, holds the ranks of the wanted items. A run that is not finished has fewer cells; a cell that is
there must be whole, because no test row is ever dropped.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from regraft.errors import ResultsError
from regraft.report.lists import RANKED

CASES: dict[str, Any] = {
    "case": pl.Int64,
    "period": pl.Int32,
    "user": pl.Int32,
    "item": pl.Int32,
    "user_id": pl.String,
    "item_id": pl.String,
    "label": pl.Int8,
    "eval_row": pl.Boolean,
    "user_group": pl.String,
    "item_group": pl.String,
    "history": pl.Int32,
}
LATER: dict[str, Any] = {"item_count": pl.Int32}  # columns of cases that older runs lack: null there
CELL: dict[str, Any] = {"contender": pl.String, "seed": pl.Int32, "update": pl.Int32}
SCORES: dict[str, Any] = {**CELL, "period": pl.Int32, "case": pl.Int64, "score": pl.Float64}
COSTS: dict[str, Any] = {
    **CELL,
    "cpu_seconds": pl.Float64,
    "wall_seconds": pl.Float64,
    "tokens_forward": pl.Float64,
    "tokens_backward": pl.Float64,
    "flops": pl.Float64,
    "targets_trained": pl.Float64,
    "adapter_bytes": pl.Float64,
    "cache_bytes": pl.Float64,
    "stored_interactions": pl.Float64,
    "peak_memory": pl.Float64,
    "score_cpu_seconds": pl.Float64,
    "score_tokens": pl.Float64,
    "prompt_tokens_per_request": pl.Float64,
    "forward_passes_per_request": pl.Float64,
    "notes": pl.String,
}
RANKS: dict[str, Any] = {**CELL, **RANKED}
RUN = ("name", "finished", "stream", "seeds", "contenders", "scored_periods", "updates")
AGAIN = "Run the arena again with the same command and folder: finished cells are kept"


@dataclass(frozen=True)
class Results:
    """The four files of one run. Columns: see CASES and LATER, SCORES and COSTS."""

    folder: Path
    run: dict[str, Any]
    cases: pl.DataFrame
    scores: pl.DataFrame
    costs: pl.DataFrame
    ranks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RANKS))  # empty: no lists were ranked

    @classmethod
    def load(cls, folder: Path | str) -> Results:
        """Read and checked; ResultsError where something is missing, damaged or incomplete.

        Scores and costs may be absent as long as the run is not finished.
        """
        folder = Path(folder)
        run = _run(folder / "run.json")
        optional = not run["finished"]
        results = cls(
            folder,
            run,
            _table(folder / "cases.parquet", CASES, later=LATER),
            _table(folder / "scores.parquet", SCORES, optional),
            _table(folder / "costs.parquet", COSTS, optional),
            _table(folder / "ranks.parquet", RANKS, True),
        )
        results.check()
        return results

    @property
    def finished(self) -> bool:
        return bool(self.run["finished"])

    @cached_property
    def kinds(self) -> dict[str, str]:
        """'strategy' or 'baseline' of each contender, in the order they were given."""
        return {contender["name"]: contender["kind"] for contender in self.run["contenders"]}

    @cached_property
    def uses(self) -> dict[str, str]:
        """Which plug-in each contender is, as the configuration says; else its name up to a '+'."""
        given = (self.run.get("config") or {}).get("contenders") or []
        plain = [name.split("+")[0] for name in self.kinds]
        used = [c["use"] if isinstance(c, dict) and "use" in c else None for c in given]
        if len(used) != len(plain):
            used = [None] * len(plain)
        return {name: use or guess for name, use, guess in zip(self.kinds, used, plain, strict=True)}

    @cached_property
    def rungs(self) -> dict[str, str]:
        """The rung of each contender; where an older run does not say it, what its plug-in most likely is."""
        said = {contender["name"]: contender.get("rung") for contender in self.run["contenders"]}
        return {name: said[name] or _guessed(kind, self.uses[name], name) for name, kind in self.kinds.items()}

    @cached_property
    def headline(self) -> pl.DataFrame:
        """Prequential scores with their cases: the model after update t on all cases of period t + 1."""
        return self.scores.filter(pl.col("period") == pl.col("update") + 1).join(self.cases.drop("period"), on="case")

    @cached_property
    def by_cell(self) -> pl.DataFrame:
        """Scores of the rows on which any model and any period can be compared.

        These are the rows nothing was trained on; without such rows, the prequential cells only.
        """
        joined = self.scores.join(self.cases.select("case", "user", "label", "eval_row"), on="case")
        return joined.filter("eval_row") if joined["eval_row"].any() else joined

    def cells_done(self) -> int:
        """A cell whose periods all lack cases has a cost and no score."""
        return pl.concat([self.scores.select(*CELL), self.costs.select(*CELL)]).n_unique()

    def cells_planned(self) -> int:
        """Baselines run with the first seed only."""
        seeds = {"strategy": len(self.run["seeds"])}
        return len(self.run["updates"]) * sum(seeds.get(kind, 1) for kind in self.kinds.values())

    def check(self) -> None:
        """ResultsError unless every cell holds exactly the rows that it must hold."""
        _distinct(self.cases, ["case"], "cases.parquet", "one row per case")
        one_score = "one score per contender, seed, update, period and case"
        _distinct(self.scores, [*SCORES][:-1], "scores.parquet", one_score)
        self._known()
        self._whole()

    def _known(self) -> None:
        """Scores belong to contenders and cases of this run and are numbers."""
        strangers = sorted(set(self.scores["contender"].unique()) - set(self.kinds))
        if strangers:
            raise _damaged(
                "scores.parquet",
                f"has scores of {', '.join(strangers)}, which run.json does not name",
                f"contenders among {', '.join(self.kinds)}",
            )
        homeless = self.scores.join(self.cases, on=["case", "period"], how="anti")
        if homeless.height:
            row = homeless.row(0, named=True)
            raise _damaged(
                "scores.parquet",
                f"{homeless.height:,} of {self.scores.height:,} scores, such as that of case {row['case']} in period "
                f"{row['period']}, have no such case in cases.parquet",
                "scores of known cases in their own period",
            )
        broken = self.scores.filter(~pl.col("score").is_finite() | pl.col("score").is_null())
        if broken.height:
            row = broken.row(0, named=True)
            raise _damaged(
                "scores.parquet",
                f"{row['contender']}, update {row['update']}, case {row['case']} has the score {row['score']}; "
                f"{broken.height:,} of {self.scores.height:,} rows are like this",
                "finite log-odds",
            )

    def _whole(self) -> None:
        """No test row was dropped: prequential cells hold all cases of the period, others all evaluation rows."""
        expected = self.cases.group_by("period").agg(all=pl.len(), kept=pl.col("eval_row").sum())
        cells = (
            self.scores.join(self.cases.select("case", "eval_row"), on="case")
            .group_by("contender", "seed", "update", "period")
            .agg(rows=pl.len(), eval_rows=pl.col("eval_row").sum())
            .join(expected, on="period")
            .with_columns(headline=pl.col("period") == pl.col("update") + 1)
            .with_columns(
                found=pl.when("headline").then("rows").otherwise("eval_rows").cast(pl.Int64),
                wanted=pl.when("headline").then("all").otherwise("kept").cast(pl.Int64),
            )
            .sort("contender", "seed", "update", "period")
        )
        short = cells.filter(pl.col("found") != pl.col("wanted"))
        if short.height:
            row = short.row(0, named=True)
            raise _damaged(
                f"{row['contender']}, seed {row['seed']}, update {row['update']}, period {row['period']}",
                f"{row['found']:,} of {row['wanted']:,} test rows have a score; {short.height:,} of {cells.height:,} "
                "cells are like this",
                "a score for every row: no test row is ever dropped",
            )
        tested = cells.filter("headline").select(*CELL)
        # An update whose period has no cases was made for nothing that could be scored.
        due = (pl.col("update") + 1).is_in(self.cases["period"].unique().implode())
        untested = self.scores.select(*CELL).unique().filter(due).join(tested, on=[*CELL], how="anti")
        if untested.height:
            row = untested.row(0, named=True)
            raise _damaged(
                f"{row['contender']}, seed {row['seed']}, update {row['update']}",
                f"has no scores on period {row['update'] + 1}, the one it was made for",
                "the prequential cell of every update",
            )


def _guessed(kind: str, use: str, name: str) -> str:
    if kind == "baseline":
        return {"popularity": "counts", "rates": "rates"}.get(use, "neighbours")
    if use == "never":
        return "model as it came" if "bare" in name else "adapted"
    return "renewed"


def _run(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ResultsError(
            f"results folder '{path.parent}'",
            f"has no {path.name}",
            "the folder of an arena run",
            f"Make one with: regraft arena run -c CONFIG --out {shlex.quote(str(path.parent))}",
        )
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(str(path), f"is not JSON: {error}", "the description of a run") from error
    missing = [key for key in RUN if not isinstance(run, dict) or key not in run]
    if missing:
        raise _damaged(str(path), f"has no {', '.join(missing)}", f"at least {', '.join(RUN)}")
    return dict(run)


def _table(
    path: Path, schema: dict[str, Any], optional: bool = False, later: dict[str, Any] | None = None
) -> pl.DataFrame:
    """The columns of `schema`, in that order and of that type; then those of `later`, null where they are missing."""
    if not path.is_file():
        if optional:
            return pl.DataFrame(schema=schema)
        raise _damaged(f"results folder '{path.parent}'", f"has no {path.name}", "the four files of a run")
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(str(path), f"cannot be read: {error}", "a parquet file") from error
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise _damaged(str(path), f"has no column {', '.join(missing)}", f"the columns {', '.join(schema)}")
    absent = {name: dtype for name, dtype in (later or {}).items() if name not in frame.columns}
    frame = frame.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in absent.items())
    try:
        return frame.select(pl.col(name).cast(dtype) for name, dtype in {**schema, **(later or {})}.items())
    except pl.exceptions.PolarsError as error:
        raise _damaged(str(path), f"has a column of the wrong type: {error}", str(schema)) from error


def _distinct(frame: pl.DataFrame, keys: list[str], where: str, expected: str) -> None:
    twice = frame.height - frame.select(keys).n_unique() if frame.height else 0
    if twice:
        raise _damaged(where, f"{twice:,} of {frame.height:,} rows occur twice", expected)


def _damaged(where: str, found: str, expected: str) -> ResultsError:
    return ResultsError(where, found, expected, AGAIN)
