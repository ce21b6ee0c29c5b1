"""A log by day: the days it has, the rows of some of them, and the files that a site takes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import polars as pl


def day_of(rows: pl.DataFrame) -> pl.Series:
    """The UTC day of each row, as 2025-01-31."""
    return rows["timestamp"].dt.strftime("%Y-%m-%d")


def days_of(rows: pl.DataFrame) -> list[str]:
    """The days that have a row, in order."""
    return sorted(day_of(rows).unique().to_list())


def of_days(rows: pl.DataFrame, days: Collection[str]) -> pl.DataFrame:
    return rows.filter(day_of(rows).is_in(list(days)))


def write_log(folder: Path, rows: pl.DataFrame, items: pl.DataFrame) -> Path:
    """interactions.csv of these rows, with items.csv beside it; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    rows.drop("line", strict=False).write_csv(folder / "interactions.csv")
    items.write_csv(folder / "items.csv")
    return folder / "interactions.csv"
