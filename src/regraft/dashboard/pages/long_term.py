"""Long term: who returns, stays and is satisfied, and what that is worth."""

from __future__ import annotations

from typing import Any

import polars as pl
from sqlalchemy import Connection

from regraft.dashboard.charts import NUMBERS, Chart, Row, charts, compared, newest_of
from regraft.dashboard.cohort_map import cohort_map
from regraft.dashboard.dashboard_words import LASTING, DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import EACH, View
from regraft.data.assign import COMPARED
from regraft.metrics.survival import HORIZON
from regraft.release.long_term import GAIN, STAYING, by_after
from regraft.report.by_age import by_age
from regraft.report.since import since
from regraft.setup.site import Site
from regraft.state import aggregates
from regraft.state.database import transaction

NAN = float("nan")


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    if not now.newest:
        return {"charts": {}, "filters": False}
    with transaction(site.engine) as connection:
        drawn = charts(connection, LASTING, view, now, words, "long_term")
        staying = _staying(connection, view, words)
        gain = _gain(connection, set(COMPARED) <= set(now.arms), site.options.measures.quiet, words)
        cohorts = cohort_map(connection, view.days(now.newest)[1], words)
    return {
        "charts": drawn, "staying": staying, "gain": gain, "cohorts": cohorts, "filters": True,
        "span": view.days(now.newest),
    }  # fmt: skip


def _staying(connection: Connection, view: View, words: DashboardWords) -> Chart:
    """The newest curve, of everybody or of each arm; its points are segments `after=07`."""
    rows = aggregates.newest(connection, [STAYING], arm=None if view.arm == EACH else view.arm, segment=None)
    told = rows.filter(~pl.col("hidden") & pl.col("value").is_not_null())
    if view.arm == EACH:
        told = compared(told)
    if not told.height:
        return Chart(STAYING, "long_term", "hidden" if rows.height else "empty")
    told = by_after(told.filter(pl.col("day") == told["day"].max())).sort("arm", "after")
    ends = told.with_columns(pl.col("low", "high").fill_null(pl.col("value")))
    curves = tuple(
        (str(arm), tuple(part.select("after", "value", "low", "high").iter_rows()))
        for (arm,), part in sorted(ends.partition_by("arm", as_dict=True).items())
    )
    drawn = by_age(curves, "long_term-staying", words("staying title"), words("staying axis"))
    newest = tuple(newest_of(told.filter(pl.col("arm") == arm).row(-1, named=True), True, words) for arm, _ in curves)
    names = tuple(words.arm(arm) for arm, _ in curves)
    numbers = told.select("after", *NUMBERS[1:])
    return Chart(STAYING, "long_term", "", newest, drawn, names, _rows(told, curves, words), numbers=numbers)


def _gain(connection: Connection, piloted: bool, quiet: int, words: DashboardWords) -> Chart:
    """What a person of the treatment is worth beyond one of the control, day by day.

    Empty where nobody is in a pilot; "few" where nobody in it has been watched beyond `quiet` days.
    """
    rows = aggregates.newest(connection, [GAIN], segment=None)
    told = rows.filter(~pl.col("hidden") & pl.col("value").is_not_null())
    if rows.height and not told.height:
        return Chart(GAIN, "long_term", "hidden")
    if not told.height:
        return Chart(GAIN, "long_term", "few" if piloted else "empty", note=words("gain early", quiet=quiet))
    told = by_after(told.filter(pl.col("day") == told["day"].max())).sort("after")
    numbers = told.select("after", *NUMBERS[2:])
    told = told.with_columns(pl.col("low", "high").fill_null(NAN))
    points = tuple(told.select("after", "value", "low", "high").iter_rows())
    drawn = since(points, "long_term-gain", words.measure(GAIN), words("gain axis"))
    last = told.row(-1, named=True)
    early = "" if last["after"] >= HORIZON else words("too early", days=HORIZON)
    rows_of = tuple(
        Row(str(row["after"]), row["after"] / max(last["after"], 1), (_worth(row, words),))
        for row in told.iter_rows(named=True)
    )
    newest = (newest_of(last, False, words),)
    return Chart(GAIN, "long_term", "", newest, drawn, (words.measure(GAIN),), rows_of, early, numbers)


def _worth(row: dict[str, Any], words: DashboardWords) -> str:
    return f"{words.value(row['value'])} {words.ends(row['low'], row['high'])}"


def _rows(told: pl.DataFrame, curves: tuple[Any, ...], words: DashboardWords) -> tuple[Row, ...]:
    by = {(row["arm"], row["after"]): row for row in told.iter_rows(named=True)}
    longest = max(int(after) for _, after in by)
    found = []
    for after in sorted({after for _, after in by}):
        cells = []
        for arm, _ in curves:
            row = by.get((arm, after))
            cells.append(
                f"{words.value(row['value'], True)} {words.ends(row['low'], row['high'], True)}" if row else "–"
            )
        found.append(Row(str(after), after / max(longest, 1), tuple(cells)))
    return tuple(found)
