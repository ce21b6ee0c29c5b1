"""Faults of a day's log, made on purpose: what a gate must find. For drills on a copy of a site, tests and benchmarks.

Each takes one day in the canonical schema (user_id, item_id, timestamp, event, value) and gives it back with the
fault. `liked` and `other` are the events that the label rule tells apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

Fault = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]
LIKED, OTHER = "click", "skip"  # of the drift world
HOUR = 3_600_000  # ms


def label_flip(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Liked and not liked are exchanged."""
    return _judged(day, pl.col("event") != LIKED)


def all_positive(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Every row is liked."""
    return _judged(day, pl.lit(True))


def doubled_day(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """A collector sent every row again, seconds later: the copies are not exact."""
    again = pl.Series(rng.integers(1, 31, len(day)) * 1000).cast(pl.Duration("ms"))
    return pl.concat([day, day.with_columns(timestamp=pl.col("timestamp") + again)]).sort("timestamp")


def empty_day(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """No row arrived."""
    return day.clear()


def half_day(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The file ends at noon."""
    return day.filter(pl.col("timestamp").dt.hour() < 12)


def shifted_day(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The clock is nine hours ahead, as Japan's is to UTC: the evening falls into the next day."""
    return day.with_columns(timestamp=pl.col("timestamp") + pl.duration(hours=9))


def flood(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """One in a hundred of the day's users (one at least) writes ten times as many rows as the average, all liked."""
    users = day["user_id"].unique(maintain_order=True)
    few = users.gather(rng.choice(len(users), max(1, round(len(users) / 100)), replace=False))
    each = round(10 * len(day) / len(users))
    return pl.concat([day, _liked_by(day, few.to_list(), each, rng)]).sort("timestamp")


def promoted_item(day: pl.DataFrame, rng: np.random.Generator, share: float = 0.05) -> pl.DataFrame:
    """New accounts like one item that nobody chose before: `share` of the day's rows."""
    n = max(1, round(share * len(day)))
    rows = _liked_by(day, [f"bought-{k}" for k in range(n)], 1, rng)
    return pl.concat([day, rows.with_columns(item_id=pl.lit(str(day["item_id"][0])))]).sort("timestamp")


def swapped_columns(day: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The columns of users and items are exchanged."""
    return day.with_columns(user_id=pl.col("item_id"), item_id=pl.col("user_id"))


FAULTS: dict[str, Fault] = {
    "label flip": label_flip, "doubled day": doubled_day, "empty day": empty_day, "+9 h shift": shifted_day,
    "flood by 1 % of users": flood, "half day": half_day, "all positive": all_positive,
    "swapped columns": swapped_columns, "one item promoted": promoted_item,
}  # fmt: skip


def _judged(day: pl.DataFrame, liked: pl.Expr) -> pl.DataFrame:
    return day.with_columns(
        event=pl.when(liked).then(pl.lit(LIKED)).otherwise(pl.lit(OTHER)), value=liked.cast(pl.Float64)
    )


def _liked_by(day: pl.DataFrame, users: list[str], each: int, rng: np.random.Generator) -> pl.DataFrame:
    """`each` liked rows of every user: items and times as others had them."""
    picked = day[rng.integers(len(day), size=len(users) * each)]
    rows = _judged(picked, pl.lit(True)).with_columns(user_id=pl.Series(np.repeat(users, each)))
    return rows.with_columns(timestamp=pl.col("timestamp") + pl.duration(seconds=pl.int_range(pl.len()) % 60))
