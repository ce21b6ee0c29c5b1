"""Numbers of a day of rows that are compared with those of earlier days, and how far from them is too far."""

from __future__ import annotations

from typing import Any

import polars as pl

from regraft.data.store import IMPRESSION

MAD = 1.4826  # median absolute deviation of a normal distribution to its standard deviation
ECHO = pl.duration(seconds=60)  # the same again within this time is an echo
SAID = ("uid", "item_id", "event")
BUSY = 0.01  # share of the users who are the busiest
EMPTY = {
    "rows": 0.0,  # that happened on the day and were known on it
    "users": 0.0,
    "likes": 0.0,  # rows with label 1
    "late": 0.0,  # rows of closed days that became known on the day, per row
    "echoes": 0.0,  # share of rows that repeat user, item and event within a minute
    "liked": 0.0,  # share of rows with label 1
    "liked_noise": 0.0,  # standard deviation of that share by chance: rows of one user hang together
    "served": 0.0,  # share of rows that belong to a list of ours
    "gap": 24.0,  # hours between two rows, at most; the day's begin and end count as rows
    "top_users": 0.0,  # share of rows by the busiest 1 % of the users
    "most": 0.0,  # rows of the busiest user
    "top_item": 0.0,  # share of the liked rows that one item has
    "top_unlisted": 0.0,  # the same, counting its rows that belong to no list of ours
    "new_users": 0.0,  # share of rows of users without a row on an earlier day
    "new_items": 0.0,
    "new_events": 0.0,
    "valued": 0.0,  # share of rows with a value
    "value_low": float("nan"),
    "value_high": float("nan"),
}


def day_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per day on which rows became known, oldest first: `day` (2025-01-06) and the columns of EMPTY.

    `rows` has the schema of data.store.STORED and `label`. What is new on a day is new among these rows, so on the
    first days nearly everything is.
    """
    rows = rows.select(
        "time", "value", "label", day=pl.col("known_at").dt.date(), served=pl.col("request_id").is_not_null(),
        told=pl.col("event").ne_missing(IMPRESSION),  # not what our own servers add
        # Which rows name the same is all that is asked for, and a number is a tenth of a name.
        **{name: pl.col(name).cast(pl.Categorical).to_physical() for name in SAID},
    )  # fmt: skip
    late, told = pl.col("time").dt.date() < pl.col("day"), pl.col("told")
    on_time = rows.filter(~late).sort(*SAID, "time")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in SAID)
    on_time = on_time.with_columns(
        *((pl.col("day").min().over(name) == pl.col("day")).alias(f"new_{kind}s") for kind, name in _NEW.items()),
        echoes=(same & (pl.col("time").diff() <= ECHO) & told).fill_null(False),
    ).with_columns(new_events=pl.col("new_events") & told)
    numbers = on_time.group_by("day").agg(
        rows=pl.len(), users=pl.col("uid").n_unique(), likes=pl.col("label").cast(pl.Int64).sum(),
        liked=pl.col("label").mean(), served=pl.col("served").mean(),
        valued=pl.col("value").is_not_null().mean(), value_low=pl.col("value").min(),
        value_high=pl.col("value").max(), gap=_gap(),
        **{name: pl.col(name).mean() for name in ("echoes", *(f"new_{kind}s" for kind in _NEW))},
    )  # fmt: skip
    found = (
        numbers.join(rows.filter(late).group_by("day").agg(n_late=pl.len()), on="day", how="full", coalesce=True)
        .join(_users(on_time), on="day", how="left")
        .join(_items(on_time), on="day", how="left")
        .with_columns(late=pl.col("n_late").fill_null(0) / pl.col("rows").fill_null(0).clip(1))
        .sort("day")
    )
    filled = (pl.col(name).cast(pl.Float64).fill_null(value) for name, value in EMPTY.items())
    return found.select(pl.col("day").cast(pl.String), *filled)


_NEW = {"user": "uid", "item": "item_id", "event": "event"}


def _gap() -> pl.Expr:
    begins = pl.col("day").first().cast(pl.Datetime("ms"))
    time = pl.col("time").dt.replace_time_zone(None).cast(pl.Datetime("ms")).sort()
    gaps = (
        pl.concat_list(time.diff().max(), time.first() - begins, begins + pl.duration(days=1) - time.last())
    )  # fmt: skip
    return gaps.list.max().first().dt.total_seconds() / 3600


def _users(rows: pl.DataFrame) -> pl.DataFrame:
    """Per day: `top_users`, `most` and `liked_noise`."""
    counts = rows.group_by("day", "uid").agg(n=pl.len(), likes=pl.col("label").cast(pl.Int64).sum())
    rank = pl.col("n").rank("ordinal", descending=True)
    weight = ((pl.len() * BUSY).clip(1) - rank + 1).clip(0, 1)  # of 283 users the first 2 and 83 % of the third
    surprise = pl.col("likes") - pl.col("n") * pl.col("likes").sum() / pl.col("n").sum()
    return counts.group_by("day").agg(
        most=pl.col("n").max(),
        top_users=(weight * pl.col("n")).sum() / pl.col("n").sum(),
        liked_noise=(surprise**2).sum().sqrt() / pl.col("n").sum(),
    )


def _items(rows: pl.DataFrame) -> pl.DataFrame:
    """Per day: `top_item` and `top_unlisted`."""
    liked = rows.filter(pl.col("label") == 1)
    counts = liked.group_by("day", "item_id").agg(n=pl.len(), unlisted=(~pl.col("served")).sum())
    return counts.group_by("day").agg(
        top_item=pl.col("n").max() / pl.col("n").sum(), top_unlisted=pl.col("unlisted").max() / pl.col("n").sum()
    )


def deviations(value: float, earlier: pl.Series, floor: float) -> tuple[float, float]:
    """(how many robust standard deviations `value` lies from the median of earlier days, that median).

    A deviation counts as at least `floor`: on a few quiet days it could be next to nothing. What few days say of
    their own spread is unsure, so it is taken to be wider.
    """
    if not len(earlier):
        return 0.0, float("nan")
    middle = _number(earlier.median())
    spread = max(MAD * _number((earlier - middle).abs().median()) * (1 + 4 / len(earlier)), floor)
    return (value - middle) / spread, middle


def noise(share: float, rows: float) -> float:
    """Standard deviation of a share of so many rows by chance; above 0 where the share is 0 or 1 too."""
    n = max(rows, 1.0)
    smooth = (share * n + 1) / (n + 2)
    return float((smooth * (1 - smooth) / n) ** 0.5)


def _number(value: Any) -> float:
    return float(value) if value is not None else 0.0
