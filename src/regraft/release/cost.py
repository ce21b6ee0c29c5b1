"""What a site's last days cost, and what its updates must earn to be worth it: from its numbers and its prices."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from regraft.errors import DataError
from regraft.metrics.spending import MONTH
from regraft.report.pays import Assumptions, checked
from regraft.setup.site import Site
from regraft.state import aggregates
from regraft.state.database import transaction

CURVE = Path("tune", "tune.json")  # in the site's folder reports/: what `regraft tune` found on its own past
DAYS = 28  # that means are of
READ = (
    "update_seconds",
    "update_cost",
    "seconds_per_1000",
    "cost_per_1000",
    "storage_bytes",
    "storage_cost",
    "lists",
    "clicks",
)


@dataclass(frozen=True)
class Spent:
    """Means of the last days; NaN where nothing was measured, or too few people were behind it."""

    days: int  # closed in the window
    update_seconds: float
    update_cost: float
    seconds_per_1000: float
    cost_per_1000: float
    storage_bytes: float
    storage_cost: float  # per 30 days
    lists: float  # per day
    clicks: float  # per day
    currency: str

    @property
    def month(self) -> float:
        """Money per 30 days: an update a day, the lists served, and storage; what was not measured counts nothing."""
        parts = (MONTH * self.update_cost, MONTH * self.lists / 1000 * self.cost_per_1000, self.storage_cost)
        return sum(part for part in parts if not math.isnan(part))


def spent(site: Site) -> Spent:
    """Of the last 28 days that have numbers."""
    with transaction(site.engine) as connection:
        last = aggregates.newest(connection, ["update_seconds"])["day"].max()
        since = (date.fromisoformat(str(last)) - timedelta(days=DAYS - 1)).isoformat() if last else None
        rows = aggregates.read(connection, READ, since=since)
    means = dict(rows.group_by("measure").agg(pl.col("value").mean()).iter_rows())
    days = rows.filter(pl.col("measure") == "update_seconds")["day"].n_unique()
    found = {name: math.nan if means.get(name) is None else float(means[name]) for name in READ}
    return Spent(days, **found, currency=site.options.prices.currency)


def assumptions(site: Site, found: Spent) -> Assumptions:
    """What updates of this site earn: its lists and clicks, and what regraft.yaml says that they are worth."""
    prices, lists = site.options.prices, 0.0 if math.isnan(found.lists) else found.lists
    clicks = found.clicks / lists if lists and not math.isnan(found.clicks) else 0.0
    return Assumptions(prices.update_hour, lists, clicks, prices.lift, prices.click, prices.currency)


def curve_of(path: Path, contender: str = "") -> pl.DataFrame:
    """The curve that `regraft tune` measured, in days, or a JSON list of objects with `every`, `auc` and `seconds`.

    Of a tuning: that of the contender, else of the first one that got an advice, at the history and replay that were
    advised. DataError where there is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return checked(pl.DataFrame(_tuned(found, contender) if isinstance(found, dict) else found))
    except (OSError, ValueError, TypeError, KeyError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"curve '{path}'", f"cannot be read: {error}", "what regraft tune wrote, or a JSON list such as "
            '[{"every": 1, "auc": 0.75, "seconds": 60.0}, {"every": 7, "auc": 0.74, "seconds": 9.0}]',
        ) from error  # fmt: skip


def _tuned(found: dict[str, Any], contender: str) -> list[dict[str, Any]]:
    """Rows of the curve from tune.json."""
    if not found["advice"]:
        return []
    advice = next((one for one in found["advice"] if one["contender"] == contender), found["advice"][0])
    wanted = {name: advice["advised"][name] for name in ("contender", "share", "days")}
    gains = {step["every"]: step["gain"] for step in advice["break_even"]}
    period = float(found["period_days"])
    return [
        {
            "every": max(1, round(one["every"] * period)), "auc": one["auc"]["all"]["estimate"],
            "seconds": one["seconds_per_period"] / period,
            **{end: gains.get(one["every"], {}).get(end) for end in ("low", "high")},
        }
        for one in found["settings"] if all(one[name] == value for name, value in wanted.items())
    ]  # fmt: skip
