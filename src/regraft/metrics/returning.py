"""Long term: who comes back. `days` has one row per person and day with activity: `uid`, `day` (Date)."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from regraft.metrics.estimate import Estimate, share


def return_rate(days: pl.DataFrame, on: date, within: int) -> Estimate:
    """People active on a day and again on one of the 7 (28) days after it / people active on it, 0 to 1.

    Stands under the day that people returned from, and is known once the last of the others is over. Interval:
    Wilson's.
    """
    there = days.filter(pl.col("day") == on).select("uid").unique()
    after = pl.col("day").is_between(on, on + timedelta(days=within), closed="right")
    again = there.join(days.filter(after), on="uid", how="semi")
    return share(len(again), len(there))


def repeat_rate(days: pl.DataFrame, until: date, window: int = 28) -> Estimate:
    """People active on two or more of the last 28 days (`until` is the last) / people active on one or more, 0 to 1.

    Interval: Wilson's.
    """
    since = until - timedelta(days=window)
    recent = days.filter(pl.col("day").is_between(since, until, closed="right"))
    counts = recent.group_by("uid").agg(pl.col("day").n_unique())
    return share(int((counts["day"] > 1).sum()), len(counts))


def dormant(days: pl.DataFrame, until: date, quiet: int = 14, window: int = 56) -> Estimate:
    """People of the last 56 days who were silent on the last `quiet` (`measures.quiet`) / people of these days, 0 to 1.

    `until` is the last day. Interval: Wilson's.
    """
    since = until - timedelta(days=window)
    last = days.filter(pl.col("day").is_between(since, until, closed="right")).group_by("uid").agg(pl.col("day").max())
    return share(int((last["day"] <= until - timedelta(days=quiet)).sum()), len(last))
