"""Long-term numbers of a day that was closed: who returns, stays, is satisfied, and what that is worth; by arm.

A rate of return is written under the day that people returned from, which is known `within` days later.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl

from regraft.data.assign import COMPARED, CONTROL, TREATMENT
from regraft.metrics import cohorts, returning, satisfaction, survival
from regraft.metrics.estimate import NAN, Estimate
from regraft.release.person_days import by_arm, kinds
from regraft.release.short_term import row
from regraft.state.aggregates import Aggregate

MONTH = 28  # days: four whole weeks
STAYING, GAIN = CURVES = "staying", "gain_so_far"  # their points are segments
COHORTS = "cohort_return"  # a map: its points are segments too
AFTER = "after="  # how the segment of a point begins; days or weeks follow


def window(quiet: int) -> int:
    """Days that long-term numbers look back: a month to be watched in, one to come back in, and the silence."""
    return 2 * MONTH + quiet


def long_term(days: pl.DataFrame, day: str, quiet: int) -> Iterator[Aggregate]:
    """All long-term numbers that are known once `day` is closed. `days`: as person_days gives them, `window` long."""
    until = date.fromisoformat(day)
    tells = bool((days["satisfied"] + days["dissatisfied"]).sum())  # else nobody could complain
    lives: dict[str, pl.DataFrame] = {}
    for arm, own in by_arm(days).items():
        yield from _returned(own, until, arm)
        yield row(day, "repeat_rate", returning.repeat_rate(own, until), arm)
        gone = returning.dormant(own, until, quiet, 2 * MONTH)
        yield row(day, "dormant", gone, arm)
        people = _month(own, until)
        if tells:
            yield row(day, "satisfaction", satisfaction.satisfaction(people), arm)
            yield row(day, "complaints", satisfaction.complaint_rate(people), arm)
        stays = lives[arm] = survival.lives(own, until, quiet)
        worth = survival.lifetime_value(stays)
        early = Estimate(NAN, NAN, NAN, own["uid"].n_unique())  # nobody has been watched for longer than the silence
        yield row(day, "lifetime_value", worth if worth.n else early, arm)
        yield from _curve(day, STAYING, survival.staying(stays), arm)
    if all(arm in lives for arm in COMPARED):
        gain = survival.gain_so_far(lives[CONTROL], lives[TREATMENT])
        yield row(day, "lifetime_gain", survival.lifetime_gain(gain))
        yield from _curve(day, GAIN, gain)


def _curve(day: str, measure: str, points: pl.DataFrame, arm: str = "") -> Iterator[Aggregate]:
    return (_point(day, measure, point, arm) for point in points.iter_rows(named=True))


def _point(day: str, measure: str, point: dict[str, Any], arm: str = "") -> Aggregate:
    found = Estimate(*(point[name] for name in ("value", "low", "high", "n")))
    return row(day, measure, found, arm, f"{AFTER}{point['after']:02d}")


def by_after(rows: pl.DataFrame) -> pl.DataFrame:
    """The points of curves or maps among aggregates, with `after` as a number."""
    after = pl.col("segment").str.strip_prefix(AFTER).cast(pl.Int64, strict=False)
    return rows.filter(pl.col("segment").str.starts_with(AFTER)).with_columns(after=after).drop_nulls("after")


def cohort_map(days: pl.DataFrame, until: date) -> Iterator[Aggregate]:
    """Which part of the new people of a week came back in each week since. `days`: of cohorts.SPAN days."""
    for point in cohorts.cohort_return(days, until).iter_rows(named=True):
        yield _point(point["joined"].isoformat(), COHORTS, point)


def _returned(days: pl.DataFrame, until: date, arm: str) -> Iterator[Aggregate]:
    """Rates of return from the days on which they have just become known; of everybody by kind of person, too."""
    for within in (7, MONTH):
        on = until - timedelta(days=within)
        measure, day = f"return_{within}", on.isoformat()
        yield row(day, measure, returning.return_rate(days, on, within), arm)
        if arm:
            continue
        for (kind,), who in sorted(kinds(days, on).partition_by("kind", as_dict=True).items()):
            own = days.join(who, on="uid", how="semi")
            yield row(day, measure, returning.return_rate(own, on, within), segment=f"people={kind}")


def _month(days: pl.DataFrame, until: date) -> pl.DataFrame:
    """What each person of the last 28 days said in them."""
    recent = days.filter(pl.col("day") > until - timedelta(days=MONTH))
    return recent.group_by("uid").agg(pl.col("satisfied", "dissatisfied").sum())
