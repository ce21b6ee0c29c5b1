"""Overview: how the recommender does now, short term beside long term, and what changed this week."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from regraft.dashboard.charts import charts
from regraft.dashboard.dashboard_words import LONG, SHORT, DashboardWords
from regraft.dashboard.news import news
from regraft.dashboard.pilot_numbers import pilot_numbers
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.errors import RegraftError
from regraft.setup.site import Site
from regraft.state import pilots
from regraft.state.database import transaction
from regraft.state.pilots import Pilot
from regraft.state.tables import runs


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    if not now.newest:
        return {"columns": {}, "days": [], "news": [], "filters": True}
    span = view.days(now.newest)
    with transaction(site.engine) as connection:
        drawn = charts(connection, [*SHORT, *LONG], view, now, words, "overview")
        happened = connection.execute(
            select(runs.c.date, runs.c.state).where(runs.c.date.between(*span)).order_by(runs.c.id)
        ).all()
        lines = news(connection, words, span[1])
        pilot = pilots.running(connection)
    refresh = 0
    if pilot is not None:
        told = _of_pilot(site, pilot, now, words)
        refresh = 0 if told else 3
        lines.insert(0, told or words("news pilot waits", name=pilot.name, share=words.percent(pilot.share)))
    columns = {key: [drawn[m] for m in names] for key, names in (("short", SHORT), ("long", LONG))}
    days = {row.date: row.state for row in happened if row.state != "superseded"}
    return {
        "columns": columns,
        "days": sorted(days.items()),
        "news": lines,
        "filters": True,
        "span": span,
        "refresh": refresh,
    }


def _of_pilot(site: Site, pilot: Pilot, now: Standing, words: DashboardWords) -> str:
    """The pilot in a sentence; empty while its numbers are being worked out."""
    try:
        numbers = pilot_numbers(site, pilot, now.newest, wait=0.02)
    except RegraftError:
        return words("news pilot early", name=pilot.name, share=words.percent(pilot.share))
    if numbers is None:
        return ""
    primary = next((e for e in numbers["effects"] if e["role"] == "primary" and not e["segment"]), None)
    if primary is None or primary["relative_low"] is None:
        return words("news pilot early", name=pilot.name, share=words.percent(pilot.share))
    return words(
        "news pilot", name=pilot.name, decision=words(numbers["decision"]), metric=words.metric(primary["metric"]),
        lift=words.signed(primary["relative"]),
        interval=f"[{words.signed(primary['relative_low'])}, {words.signed(primary['relative_high'])}]",
    )  # fmt: skip
