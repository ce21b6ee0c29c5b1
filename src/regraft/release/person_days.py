"""What each person did on each of the last days, in one row per person and day: what long-term numbers are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import polars as pl

from regraft.data import store
from regraft.setup.measuring import MeasureOptions
from regraft.setup.site import Site
from regraft.state import files
from regraft.state.database import transaction

COLUMNS = ("uid", "time", "event", "value", "request_id", "arm")
ACTIVE = ("uid", "time")
HEAVY = 8  # days of 28: twice a week
EMPTY = pl.DataFrame(
    schema={
        "uid": pl.String,
        "day": pl.Date,
        "arm": pl.String,  # of the day's last list; null where none was served
        "lists": pl.Int64,
        "worth": pl.Float64,
        "converted": pl.Int64,  # events, as are the next two
        "satisfied": pl.Int64,
        "dissatisfied": pl.Int64,
    }
)


def person_days(site: Site, until: date, days: int) -> pl.DataFrame:
    """Rows as in EMPTY of the accepted events of the last `days` days up to `until`, inclusive, by person and day.

    Read day by day, so that memory grows with people and not with events.
    """
    parts = [_of_day(rows, site.options.measures) for rows in _by_day(site, until, days, COLUMNS)]
    return pl.concat([EMPTY, *parts]).sort("uid", "day")


def active_days(site: Site, until: date, days: int) -> pl.DataFrame:
    """`uid` and `day` of `person_days` alone, for a longer time."""
    who = [rows.select("uid", day=pl.col("time").dt.date()).unique() for rows in _by_day(site, until, days, ACTIVE)]
    return pl.concat([EMPTY.select("uid", "day"), *who])


def _by_day(site: Site, until: date, days: int, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The accepted rows of each day, oldest first."""
    wanted = [(until - timedelta(days=back)).isoformat() for back in range(days)][::-1]
    with transaction(site.engine) as connection:
        listed = files.listed(connection, wanted)
    for day in wanted:
        if own := [file for file in listed if file.day == day]:
            yield store.read(site.data, own, columns)


def _of_day(rows: pl.DataFrame, measures: MeasureOptions) -> pl.DataFrame:
    worth = measures.earned().sum() if measures.worth else pl.lit(1.0).first()
    found = rows.sort("time").group_by("uid", pl.col("time").dt.date().alias("day")).agg(
        arm=pl.col("arm").drop_nulls().last(), lists=pl.col("request_id").n_unique() - pl.col("request_id").has_nulls(),
        worth=worth, converted=measures.converted().sum(),
        satisfied=measures.pleased().sum(), dissatisfied=measures.displeased().sum(),
    )  # fmt: skip
    return found.select(pl.col(name).cast(kind) for name, kind in EMPTY.schema.items())


def by_arm(days: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The same rows of everybody (under the empty name) and of each arm.

    A person is of the arm of their last list, from their first list of that arm on.
    """
    served = days.filter(pl.col("arm").is_not_null())
    own = served.group_by("uid").agg(own=pl.col("arm").sort_by("day").last())
    begun = (
        served.join(own, on="uid").filter(pl.col("arm") == pl.col("own"))
        .group_by("uid").agg(pl.col("own").first(), begins=pl.col("day").min())
    )  # fmt: skip
    since = days.join(begun, on="uid").filter(pl.col("day") >= pl.col("begins"))
    arms = {str(arm): part.select(days.columns) for (arm,), part in since.partition_by("own", as_dict=True).items()}
    return {"": days, **dict(sorted(arms.items()))}


def kinds(days: pl.DataFrame, on: date) -> pl.DataFrame:
    """uid and kind of the people who were there on a day, by their days with activity in the 28 before it.

    `new`: none, `light`: fewer than HEAVY, `heavy`: the others.
    """
    before = days.filter(pl.col("day").is_between(on - timedelta(days=28), on, closed="left"))
    counts = before.group_by("uid").agg(earlier=pl.len())
    earlier = pl.col("earlier").fill_null(0)
    kind = pl.when(earlier == 0).then(pl.lit("new")).when(earlier < HEAVY).then(pl.lit("light"))
    there = days.filter(pl.col("day") == on).select("uid").unique(maintain_order=True)
    return there.join(counts, on="uid", how="left").select("uid", kind=kind.otherwise(pl.lit("heavy")))
