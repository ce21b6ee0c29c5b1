"""Cost and return: what updating, serving and storing cost, and what would change it."""

from __future__ import annotations

from typing import Any

import polars as pl

from regraft.dashboard.charts import charts
from regraft.dashboard.dashboard_words import SPENT, DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.errors import DataError
from regraft.release import cost
from regraft.report import pays
from regraft.report.pays_words import in_words, what_tips
from regraft.setup.site import Site
from regraft.state import aggregates
from regraft.state.database import transaction

MONTH = 30  # days


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    if not now.newest:
        return {"charts": {}, "filters": False}
    prices = site.options.prices
    with transaction(site.engine) as connection:
        drawn = charts(connection, SPENT, view, now, words, "cost")
        rows = aggregates.read(connection, [*SPENT, "lists"], *view.days(now.newest))
    money = _of_month(rows)
    return {
        "charts": drawn, "money": money, "currency": prices.currency, "filters": True, "span": view.days(now.newest),
        "prices": {name: getattr(prices, name) for name in ("update_hour", "serving_hour", "storage_gb_month")},
        "sensitivity": _sensitivity(money), "frequency": _frequency(site, words),
    }  # fmt: skip


def _frequency(site: Site, words: DashboardWords) -> tuple[list[str], list[str]] | None:
    """What updating more often costs and earns, and where the choice tips; None where it was not measured."""
    path = site.reports / cost.CURVE
    if not path.is_file():
        return None
    try:
        curve = cost.curve_of(path, site.options.champion.label)
    except DataError:
        return None
    given = cost.assumptions(site, cost.spent(site))
    best, swings = pays.best(curve, given), pays.sensitivity(curve, given)
    told = [in_words(pair, given, words.lang) for pair in pays.pairs(curve, given)]
    return told, [what_tips(swing, best, given, words.lang) for swing in swings]


def _of_month(rows: pl.DataFrame) -> dict[str, float | None]:
    """Money of the last 30 days shown: updates, lists, storage; None where nothing was written down."""

    def of(measure: str) -> pl.Series:
        return rows.filter(pl.col("measure") == measure).drop_nulls("value").tail(MONTH)["value"]

    updates, price, lists, storage = (of(name) for name in ("update_cost", "cost_per_1000", "lists", "storage_cost"))
    served = float(price.mean()) * float(lists.sum()) / 1000 if len(price) and len(lists) else None  # type: ignore[arg-type]
    return {
        "updates": float(updates.sum()) if len(updates) else None, "lists": served,
        "storage": float(storage[-1]) if len(storage) else None, "thousand": float(price[-1]) if len(price) else None,
    }  # fmt: skip


def _sensitivity(money: dict[str, float | None]) -> list[tuple[str, float, float, float]]:
    """(price, total with it halved, as it is, doubled), the price that matters most first."""
    parts = {"update_hour": money["updates"], "serving_hour": money["lists"], "storage_gb_month": money["storage"]}
    known = {name: value for name, value in parts.items() if value is not None}
    total = sum(known.values())
    rows = [(name, total - value / 2, total, total + value) for name, value in known.items()]
    return sorted(rows, key=lambda row: row[1] - row[3])
