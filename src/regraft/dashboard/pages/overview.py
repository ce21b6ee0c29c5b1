"""Overview: how the recommender does now, short term beside long term, and what changed this week."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from regraft.dashboard.charts import charts
from regraft.dashboard.dashboard_words import LONG, SHORT, DashboardWords
from regraft.dashboard.news import news
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.setup.site import Site
from regraft.state.database import transaction
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
    columns = {key: [drawn[m] for m in names] for key, names in (("short", SHORT), ("long", LONG))}
    days = {row.date: row.state for row in happened if row.state != "superseded"}
    return {"columns": columns, "days": sorted(days.items()), "news": lines, "filters": True, "span": span}
