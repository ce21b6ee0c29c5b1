"""Long-term numbers of a day that was closed: who returns, stays, is satisfied, and what that is worth; by arm.

A rate of return is written under the day that people returned from, which is known `within` days later.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from regraft.metrics import returning, satisfaction, survival
from regraft.metrics.estimate import Estimate
from regraft.release.person_days import by_arm, person_days
from regraft.setup.site import Site
from regraft.state.aggregates import Aggregate

MONTH = 28  # days: four whole weeks
STAYING = "staying"  # a curve: its points are segments


def long_term(site: Site, day: str) -> Iterator[Aggregate]:
    """All long-term numbers that are known once `day` is closed."""
    until, quiet = date.fromisoformat(day), site.options.measures.quiet
    everything = person_days(site, until, 2 * MONTH + quiet)
    for arm, days in by_arm(everything).items():
        for within in (7, MONTH):
            on = until - timedelta(days=within)
            yield _row(on.isoformat(), f"return_{within}", returning.return_rate(days, on, within), arm)
        yield _row(day, "repeat_rate", returning.repeat_rate(days, until), arm)
        yield _row(day, "dormant", returning.dormant(days, until, quiet, 2 * MONTH), arm)
        people = _month(days, until)
        yield _row(day, "satisfaction", satisfaction.satisfaction(people), arm)
        yield _row(day, "complaints", satisfaction.complaint_rate(people), arm)
        stays = survival.lives(days, until, quiet)
        yield _row(day, "lifetime_value", survival.lifetime_value(stays), arm)
        for point in survival.staying(stays).iter_rows(named=True):
            numbers = [point[name] for name in ("value", "low", "high")]
            yield Aggregate(day, STAYING, *numbers, point["n"], arm, f"after={point['after']:02d}")


def _month(days: pl.DataFrame, until: date) -> pl.DataFrame:
    """What each person of the last 28 days said in them."""
    recent = days.filter(pl.col("day") > until - timedelta(days=MONTH))
    return recent.group_by("uid").agg(pl.col("satisfied", "dissatisfied").sum())


def _row(day: str, measure: str, found: Estimate, arm: str) -> Aggregate:
    return Aggregate(day, measure, found.value, found.low, found.high, found.n, arm)
