"""Pilot: what the numbers say of a challenger, whether they can be trusted, and the decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from regraft.dashboard.charts import NUMBERS, Chart, Latest, Row, chart
from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.pilot_numbers import pilot_numbers
from regraft.dashboard.standing import HIDE, Standing
from regraft.dashboard.view import View
from regraft.data.assign import COMPARED
from regraft.errors import RegraftError
from regraft.pilot.settings import LEAST
from regraft.pilot.terms import Terms
from regraft.report.by_day import Day, Line, by_day, share_of
from regraft.report.since import since
from regraft.setup.site import Site
from regraft.state import aggregates, pilots
from regraft.state.database import transaction
from regraft.state.pilots import Pilot

NAN = float("nan")
LIFT = ("relative", "relative_low", "relative_high")
FORESEEN = ("auc", "uauc", "calibration")
STEPS = ("0.05", "0.25", "0.5", "1")


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    with transaction(site.engine) as connection:
        known = pilots.listed(connection)
    if not known:
        return {"pilot": None}
    pilot = next((one for one in reversed(known) if one.state == pilots.RUNNING), known[-1])
    found: dict[str, Any] = {
        "pilot": pilot, "pilots": [_listed(one) for one in reversed(known)], "numbers": None, "error": None,
        "plan": pilot.plan["plan"], "curve": pilot.plan.get("curve", ()), "designed": _designed(pilot, words),
        "shares": [step for step in STEPS if float(step) > pilot.share],
    }  # fmt: skip
    if pilot.begun is None:
        return found
    try:
        numbers = pilot_numbers(site, pilot, now.newest)
    except RegraftError as error:
        return {**found, "error": error}
    if numbers is None:
        return {**found, "refresh": 2}
    foresight = _foresight(site, pilot, now, words)
    return {**found, "numbers": numbers, **_shown(numbers, pilot, now, words), "foresight": foresight}


def _designed(pilot: Pilot, words: DashboardWords) -> str:
    """The plan in words, with metrics called as the page calls them; one without a curve as it was kept, in English."""
    terms = Terms.model_validate(pilot.plan)
    return terms.design.sentence(words.lang, words.metric) if terms.design else terms.designed


def _shown(numbers: dict[str, Any], pilot: Pilot, now: Standing, words: DashboardWords) -> dict[str, Any]:
    return {
        "effects": [_effect(row) for row in numbers["effects"] if row["n_control"] + row["n_treatment"]],
        "funnel": _funnel(numbers["funnel"], pilot, now, words),
        "exposure": by_exposure_chart(numbers["by_exposure"], words),
        "entered": sum(numbers["entered"].values()),
    }


def _effect(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table; what fewer than HIDE people of an arm did is hidden."""
    hidden = any(0 < row[f"n_{arm}"] < HIDE for arm in COMPARED)
    return {**row, "hidden": hidden, "few": row["relative"] is None}


def _funnel(rows: list[dict[str, Any]], pilot: Pilot, now: Standing, words: DashboardWords) -> Chart:
    """The always-valid interval of the primary metric, day by day."""
    told = [row for row in rows if row["relative"] == row["relative"] and row["relative"] is not None]
    if not told:
        return Chart("funnel", "pilot", "few", note=_too_little(rows, words))
    days = [_day(row["until"] - 1) for row in told]
    line = Line("", tuple(Day(day, *(row[end] for end in LIFT)) for day, row in zip(days, told, strict=True)))
    lift = float(pilot.plan["plan"]["minimum_lift"])
    label = f"{words('m funnel')}: {days[0]} – {days[-1]}"
    drawn = by_day((line,), now.live_days, "pilot-funnel", label, True, days[0], days[-1], (0.0, lift))
    cells = [
        Row(day, share_of(day, (days[0], days[-1])), (_said(row, words),)) for day, row in zip(days, told, strict=True)
    ]
    latest = _latest(told[-1], days[-1], words)
    numbers = _numbers("day", days, told)
    return Chart("funnel", "pilot", "", (latest,), drawn, (words("m funnel"),), tuple(cells), numbers=numbers)


def by_exposure_chart(rows: list[dict[str, Any]], words: DashboardWords) -> Chart:
    """The lift of the primary metric on each day since exposure, of the same people."""
    told = [row for row in rows if row["relative"] is not None]
    if not told:
        return Chart("exposure", "pilot", "few", note=_too_little(rows, words))
    points = tuple((row["day"], *(_known(row[end]) for end in LIFT)) for row in told)
    drawn = since(points, "pilot-exposure", words("m exposure"), words("exposure axis"), True)
    first, longest = told[0]["day"], max(told[-1]["day"] - told[0]["day"], 1)
    table = tuple(Row(f"{row['day']}", (row["day"] - first) / longest, (_said(row, words),)) for row in told)
    latest = _latest(told[-1], words("exposure day", day=told[-1]["day"]), words)
    numbers = _numbers("after", [row["day"] for row in told], told)
    return Chart("exposure", "pilot", "", (latest,), drawn, (words("m exposure"),), table, numbers=numbers)


def _foresight(site: Site, pilot: Pilot, now: Standing, words: DashboardWords) -> dict[str, Chart]:
    """AUC, UAUC and calibration of each arm, day by day; empty before the first day of the pilot is closed."""
    first, last = _day(pilot.begun), _day(pilot.ended - 1) if pilot.ended else now.newest
    with transaction(site.engine) as connection:
        rows = aggregates.read(connection, list(FORESEEN), first, last, arm=None)
    rows = rows.filter(pl.col("arm").is_in(list(COMPARED)))
    if not rows.height:
        return {}
    own = ((measure, rows.filter(pl.col("measure") == measure)) for measure in FORESEEN)
    return {name: chart(name, part, (first, last), now.live_days, words, "pilot") for name, part in own}


def _too_little(rows: list[dict[str, Any]], words: DashboardWords) -> str:
    """How many people of the smaller arm there are, and how many there must be."""
    n = max((min(row["n_control"], row["n_treatment"]) for row in rows), default=0)
    return words("too little people", n=f"{n:,}" if not 0 < n < HIDE else f"< {HIDE}", least=LEAST)


def _latest(row: dict[str, Any], day: str, words: DashboardWords) -> Latest:
    ends = words.ends(row["relative_low"], row["relative_high"], True)
    return Latest(words.signed(row["relative"]), ends, f"{row['n_control'] + row['n_treatment']:,}", day)


def _numbers(name: str, at: Sequence[object], rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The lifts for a file; `at` are the days that they belong to, in a column of this name."""
    people = [row["n_control"] + row["n_treatment"] for row in rows]
    ends = ([row[end] for row in rows] for end in LIFT)
    return pl.DataFrame({name: at, **dict(zip(NUMBERS[2:], (*ends, people), strict=True))})


def _known(value: float | None) -> float:
    return NAN if value is None else value


def _said(row: dict[str, Any], words: DashboardWords) -> str:
    ends = words.ends(row["relative_low"], row["relative_high"], True)
    return f"{words.value(row['relative'], True)} {ends} n {row['n_control'] + row['n_treatment']:,}"


def _listed(pilot: Pilot) -> dict[str, Any]:
    return {
        "name": pilot.name, "state": pilot.state, "share": pilot.share, "begun": _day(pilot.begun),
        "ended": _day(pilot.ended), "arms": (pilot.plan["control"], pilot.plan["treatment"]),
    }  # fmt: skip


def _day(ms: int | None) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat() if ms is not None else "–"
