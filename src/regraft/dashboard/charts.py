"""Numbers by day as a figure with its table: what a page shows of one measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import Connection

from regraft.dashboard.dashboard_words import COUNTS, PERCENT, DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import EACH, View
from regraft.data.assign import COMPARED
from regraft.metrics.intervals import FEW_USERS
from regraft.report.by_day import Day, Drawn, Line, by_day, place, share_of
from regraft.state import aggregates

NAN = float("nan")
NUMBERS = ("day", "arm", "value", "low", "high", "n")
MOST_ROWS, MOST_DAYS = 60, 200  # of a table and of a line: where there are more, it has one a week


@dataclass(frozen=True)
class Row:
    """A row of the table under a figure; `at` is where it stands on the axis, 0 to 1."""

    day: str
    at: float
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Latest:
    """The newest number of a line, as it is written; `n` is empty where the interval says it."""

    value: str
    interval: str
    n: str
    day: str


@dataclass(frozen=True)
class Chart:
    """One measure: its newest numbers, figure and table; `state` is empty, "empty", "none", "hidden" or "few".

    `note` says what is missing, in the place of the state's own words.
    """

    measure: str
    page: str
    state: str
    latest: tuple[Latest, ...] = ()  # of each line
    drawn: Drawn | None = None
    columns: tuple[str, ...] = ()  # names of the lines
    rows: tuple[Row, ...] = ()
    note: str = ""
    numbers: pl.DataFrame | None = None  # what is drawn, for a file: some of day, after, arm, and value, low, high, n


def charts(
    connection: Connection, measures: Sequence[str], view: View, now: Standing, words: DashboardWords, page: str,
) -> dict[str, Chart]:  # fmt: skip
    """Every measure over the days of the view, with ticks where a version went live. `page` tells its figures apart."""
    first, last = view.days(now.newest)
    span = (min(max(first, now.first), last), last)
    by_arm = view.arm == EACH
    arm = None if by_arm else view.arm
    rows = aggregates.read(connection, list(measures), *span, arm=arm, segment=view.segment, days=_of_weeks(*span))
    if by_arm:
        rows = compared(rows.filter(pl.col("arm") != ""))
    drawn = {m: chart(m, rows.filter(pl.col("measure") == m), span, now.live_days, words, page) for m in measures}
    absent = [m for m in drawn if drawn[m].state == "empty"]
    if not absent or (arm == "" and not view.segment):
        return drawn
    of_all = set(aggregates.read(connection, absent, *span)["measure"])
    return {m: replace(c, note=words("only of all")) if m in of_all else c for m, c in drawn.items()}


def compared(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the two arms of a pilot; all rows where there are none of these.

    Who is left with the champion beside a pilot are mostly people who no longer come: no line to compare with.
    """
    arms = pl.col("arm").is_in(COMPARED)
    return rows.filter(arms) if rows.select(arms.any()).item() else rows


def _of_weeks(first: str, last: str) -> list[str] | None:
    """Of a long time the last day of each week, counted from its end; None: all days."""
    days = place(last) - place(first)
    return [date.fromordinal(place(last) - k).isoformat() for k in range(0, days + 1, 7)] if days > MOST_DAYS else None


def chart(
    measure: str, rows: pl.DataFrame, span: tuple[str, str], live: Sequence[str], words: DashboardWords, page: str
) -> Chart:  # fmt: skip
    """One measure. Hidden days leave a gap; where all are hidden, or none is there, the state says so."""
    told = rows.filter(~pl.col("hidden") & pl.col("value").is_not_null())
    if not told.height:
        state = _missing(rows)
        return Chart(measure, page, state, note=words.missing(state, measure))
    names = told["arm"].unique().sort().to_list()
    lines = tuple(Line(name, tuple(_days(told.filter(pl.col("arm") == name)))) for name in names)
    percent = measure in PERCENT
    label = f"{words.measure(measure)}: {span[0]} – {span[1]}"
    drawn = by_day(lines, tuple(live), f"{page}-{measure.replace('_', '-')}", label, percent, *span)
    last = (told.filter(pl.col("arm") == name).row(-1, named=True) for name in names)
    latest = tuple(newest_of(row, percent, words, measure) for row in last)
    columns = tuple(words.arm(name) for name in names) if len(names) > 1 else (words.measure(measure),)
    table = _table(measure, lines, told, span, percent, words)
    return Chart(measure, page, "", latest, drawn, columns, table, numbers=told.select(NUMBERS))


def file_rows(found: Chart, words: DashboardWords) -> list[tuple[object, ...]]:
    """The numbers of a chart as rows of a file, with a heading: every day that was read, not one a week.

    With `day` alone a row is a day, with `after` alone so many days since a first one, with both a week since another.
    """
    assert found.numbers is not None
    weekly = {"day", "after"} <= set(found.numbers.columns)
    names = {
        "day": words("week of" if weekly else "day"), "after": words("weeks since" if weekly else "days since"),
        "arm": words("arm label"), "value": words.measure(found.measure), "low": words("low end"),
        "high": words("high end"), "n": "n",
    }  # fmt: skip
    numbers = found.numbers.with_columns(pl.col(pl.Float64).fill_nan(None))
    if found.measure in COUNTS:
        numbers = numbers.drop("low", "high")
    if "arm" in numbers.columns:
        arms = numbers["arm"].map_elements(words.arm, pl.String)
        numbers = numbers.with_columns(arms) if arms.n_unique() > 1 else numbers.drop("arm")
    return [tuple(names[name] for name in numbers.columns), *numbers.iter_rows()]


def _missing(rows: pl.DataFrame) -> str:
    """Why nothing can be told."""
    if rows["hidden"].any():
        return "hidden"
    if rows.height:
        return "few" if (rows["n"] > 0).any() else "none"
    return "empty"


def newest_of(row: dict[str, Any], percent: bool, words: DashboardWords, measure: str = "") -> Latest:
    """A number as it is written; of so few people that there is no interval, how many there are and must be."""
    if too_few(row["low"], row["n"], measure):
        return Latest(words("too little"), words("too little n", n=row["n"], least=FEW_USERS), "", row["day"])
    ends = words.ends(row["low"], row["high"], percent, measure)
    return Latest(words.value(row["value"], percent, measure), ends, f"{row['n']:,}", row["day"])


def too_few(low: float | None, n: int, measure: str = "") -> bool:
    """Whether an estimate has no interval for want of people."""
    return measure not in COUNTS and n < FEW_USERS and (low is None or low != low)


def _days(rows: pl.DataFrame) -> list[Day]:
    ends = rows.select("day", "value", pl.col("low", "high").fill_null(NAN))
    return [Day(*row) for row in ends.iter_rows()]


def _table(
    measure: str, lines: tuple[Line, ...], told: pl.DataFrame, span: tuple[str, str], percent: bool,
    words: DashboardWords,
) -> tuple[Row, ...]:  # fmt: skip
    n = {(row["day"], row["arm"]): row["n"] for row in told.iter_rows(named=True)}
    by = {(line.name, day.day): day for line in lines for day in line.days}
    days = sorted({day for _, day in by})
    daily = bool(days) and place(days[-1]) - place(days[0]) < 2 * len(days)
    if daily and len(days) > MOST_ROWS:  # the last day of each week, counted from the newest
        days = days[::-1][::7][::-1]
    found = []
    for day in days:
        cells = []
        for line in lines:
            if point := by.get((line.name, day)):
                people = n[day, line.name]
                ends = words.ends(point.low, point.high, percent, measure)
                written = f"{words.value(point.value, percent, measure)} {ends} n {people:,}"
                few = too_few(point.low, people, measure)
                cells.append(words("too little n", n=people, least=FEW_USERS) if few else written)
            else:
                cells.append("–")
        found.append(Row(day, round(share_of(day, span), 4), tuple(cells)))
    return tuple(found)
