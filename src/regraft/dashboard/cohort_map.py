"""The cohort map: of the new people of each week, which part was there again in each week since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
from sqlalchemy import Connection

from regraft.dashboard.charts import NUMBERS, Chart, Row
from regraft.dashboard.dashboard_words import DashboardWords
from regraft.metrics.cohorts import WEEKS
from regraft.release.long_term import COHORTS, by_after
from regraft.state import aggregates

SHADES = 9  # the darkest


@dataclass(frozen=True)
class Cell:
    """A place of the map, in columns and rows from 0; `text` is empty where fewer than ten people stand behind it."""

    x: int
    y: int
    text: str
    shade: int = 0


@dataclass(frozen=True)
class CohortMap(Chart):
    """A chart whose figure is a map: the weeks down, the weeks since then across."""

    weeks: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    width: int = WEEKS


def cohort_map(connection: Connection, last: str, words: DashboardWords) -> CohortMap:
    """The map of the thirteen weeks up to the day `last`; of everybody, whatever arm or kind of people is looked at."""
    since = (date.fromisoformat(last) - timedelta(days=7 * (WEEKS + 1) - 1)).isoformat()
    found = aggregates.read(connection, [COHORTS], since, last, segment=None)
    rows = by_after(found)
    told = rows.filter(~pl.col("hidden") & pl.col("value").is_not_null())
    if not told.height:
        return CohortMap(COHORTS, "long_term", "hidden" if rows.height else "empty")
    weeks = rows["day"].unique().sort().to_list()
    numbers = told.sort("day", "after").select("day", "after", *NUMBERS[2:])
    cells = _cells(rows, weeks, float(told["value"].max()), words)  # type: ignore[arg-type]
    return CohortMap(
        COHORTS, "long_term", "", rows=_table(rows, weeks, words), numbers=numbers, weeks=tuple(weeks),
        cells=tuple(cells), width=max(rows["after"].to_list()),
    )  # fmt: skip


def _cells(rows: pl.DataFrame, weeks: list[str], most: float, words: DashboardWords) -> list[Cell]:
    found = []
    for row in rows.iter_rows(named=True):
        at = row["after"] - 1, weeks.index(row["day"])
        if row["hidden"]:
            found.append(Cell(*at, ""))
        else:
            shade = round(SHADES * row["value"] / most) if most else 0
            found.append(Cell(*at, words.percent(row["value"]), shade))
    return found


def _table(rows: pl.DataFrame, weeks: list[str], words: DashboardWords) -> tuple[Row, ...]:
    """One row per week: share with its interval for each week since."""
    known = {(row["day"], row["after"]): row for row in rows.iter_rows(named=True)}
    widest = max(after for _, after in known)
    found = []
    for week in weeks:
        cells = []
        for after in range(1, widest + 1):
            row = known.get((week, after))
            cells.append("" if row is None else words("few people") if row["hidden"] else _said(row, words))
        people = next((row["n"] for (day, _), row in known.items() if day == week and not row["hidden"]), None)
        found.append(Row(week, 0.0, (f"{people:,}" if people else words("few people"), *cells)))
    return tuple(found)


def _said(row: dict[str, float], words: DashboardWords) -> str:
    return f"{words.percent(row['value'])} {words.ends(row['low'], row['high'], True)}"
