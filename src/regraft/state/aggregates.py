"""Numbers by day that pages and tables read: one row per day, measure, arm and segment.

A cell with some people, but fewer than HIDE, is hidden here, in the one place where cells are read, so that no page can
show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, select

from regraft.state.tables import aggregates

HIDE = 10  # people: what fewer of them did is not shown
KEY = ("day", "measure", "arm", "segment")
READ = pl.Schema(
    {
        "day": pl.String,
        "measure": pl.String,
        "arm": pl.String,
        "segment": pl.String,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "n": pl.Int64,
        "hidden": pl.Boolean,
    }
)


@dataclass(frozen=True)
class Aggregate:
    """One number with its 95 % interval; NaN where there is nothing to measure, or no interval: NULL in SQL."""

    day: str  # 2025-01-06, UTC
    measure: str
    value: float
    low: float
    high: float
    n: int  # people behind the value
    arm: str = ""  # empty: all arms
    segment: str = ""  # empty: everybody


def write(connection: Connection, rows: Iterable[Aggregate]) -> int:
    """Writes the rows in the place of those with the same day, measure, arm and segment; how many."""
    listed = [{**vars(row), **{name: _number(getattr(row, name)) for name in ("value", "low", "high")}} for row in rows]
    if listed:
        same = [aggregates.c[name] == bindparam(f"of_{name}") for name in KEY]
        old = [{f"of_{name}": row[name] for name in KEY} for row in listed]
        connection.execute(delete(aggregates).where(*same), old)
        connection.execute(insert(aggregates), listed)
    return len(listed)


def read(
    connection: Connection, measures: Sequence[str] | None = None, since: str | None = None, until: str | None = None,
    arm: str | None = "", segment: str | None = "", days: Sequence[str] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The numbers of the days `since` to `until` (both inclusive), by day; columns as in READ.

    `measures` None: all; `days`: of these days alone. `arm` and `segment` empty: over all; None: every single one as
    well. Of a row that is `hidden`, `value`, `low`, `high` and `n` are null: `n` of a count of people would tell the
    count. Nobody's number is not hidden: there is nobody to be seen in it.
    """
    chosen = _chosen(measures, arm, segment)
    if since is not None:
        chosen.append(aggregates.c.day >= since)
    if until is not None:
        chosen.append(aggregates.c.day <= until)
    if days is not None:
        chosen.append(aggregates.c.day.in_(list(days)))
    return _shown(connection.execute(_rows().where(*chosen)).all())


def newest(
    connection: Connection, measures: Sequence[str] | None = None, arm: str | None = "", segment: str | None = ""
) -> pl.DataFrame:  # fmt: skip
    """As `read`, of each measure, arm and segment the row of its last day: long-term numbers are of earlier days."""
    chosen = _chosen(measures, arm, segment)
    what = [aggregates.c[name] for name in ("measure", "arm", "segment")]
    last = select(*what, func.max(aggregates.c.day).label("day")).where(*chosen).group_by(*what).subquery()
    same = [aggregates.c[name] == last.c[name] for name in KEY]
    return _shown(connection.execute(_rows().join_from(aggregates, last, and_(*same))).all())


def days_with(connection: Connection, measure: str) -> set[str]:
    """The days on which a measure was written."""
    found = connection.execute(select(aggregates.c.day).where(aggregates.c.measure == measure).distinct())
    return {row.day for row in found}


def drop_before(connection: Connection, measure: str, day: str) -> None:
    """Forgets a measure's rows of earlier days: of a curve the newest alone is read."""
    connection.execute(delete(aggregates).where(aggregates.c.measure == measure, aggregates.c.day < day))


def _chosen(measures: Sequence[str] | None, arm: str | None, segment: str | None) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    if measures is not None:
        chosen.append(aggregates.c.measure.in_(list(measures)))
    if arm is not None:
        chosen.append(aggregates.c.arm == arm)
    if segment is not None:
        chosen.append(aggregates.c.segment == segment)
    return chosen


def _rows() -> Any:
    told = (aggregates.c[name] for name in READ if name != "hidden")
    return select(*told).order_by(*(aggregates.c[name] for name in KEY))


def _shown(rows: Sequence[Any]) -> pl.DataFrame:
    stored = pl.Schema({name: kind for name, kind in READ.items() if name != "hidden"})
    found = pl.DataFrame([tuple(row) for row in rows], schema=stored, orient="row")
    few = pl.col("n").is_between(1, HIDE - 1)
    told = [pl.when(~few).then(pl.col(name)).alias(name) for name in ("value", "low", "high", "n")]
    return found.with_columns(*told, hidden=few).select(*READ)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
