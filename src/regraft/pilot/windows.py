"""From a site's rows to people: one row per user whose window since first exposure ended (regraft.pilot.people).

A window is so many days of 24 hours that begin with the first list a person was served in the pilot, so everybody is
followed equally long, whenever they came. Metrics:

clicks       liked events of the user, wherever they came from
ctr          of the items shown, the share that was liked; in a log that we did not serve, of all its labelled rows
active_days  days of the window on which the user was seen
returned     1 where the user was seen again at least a day after the first exposure

Each has the same number from an equally long window before exposure. It is null for those who were never seen before.
Segments, by active days in the four weeks before exposure: `new` (never seen), `light`, and `heavy` from HEAVY on.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from regraft.data.assign import COMPARED
from regraft.data.labels import LabelRule
from regraft.data.store import IMPRESSION

DAY = 86_400_000  # ms
METRICS = ("clicks", "ctr", "active_days", "returned")
SEGMENTS = ("new", "light", "heavy")
HEAVY, RECENT = 4, 28  # days
COLUMNS = ("uid", "time", "event", "value", "request_id", "arm", "version", "position")  # of a site's rows


def labelled(rows: pl.DataFrame, rule: LabelRule) -> pl.DataFrame:
    """Rows of a site with `at` (ms) and `liked` (bool)."""
    liked = (rule.expression().fill_null(0) == 1) & (pl.col("event").ne_missing(IMPRESSION))
    return rows.with_columns(at=pl.col("time").dt.epoch("ms"), liked=liked)


def exposed(rows: pl.DataFrame, begun: int, ended: int) -> pl.DataFrame:
    """uid, arm, entered (ms): who was served a list of the pilot in [begun, ended), and since when.

    `rows` as `labelled` gives them. Whoever was seen in both arms is left out; see `seen_in_both`.
    """
    first = _served(rows, begun, ended).group_by("uid").agg(pl.col("arm").n_unique().alias("arms"), *_first())
    return first.filter(pl.col("arms") == 1).drop("arms").sort("entered", "uid")


def seen_in_both(rows: pl.DataFrame, begun: int, ended: int) -> int:
    """People who were served lists of both arms: none, where assignment works."""
    arms = _served(rows, begun, ended).group_by("uid").agg(pl.col("arm").n_unique())
    return int((arms["arm"] > 1).sum())


def of_the_past(rows: pl.DataFrame, since: int) -> pl.DataFrame:
    """uid, entered: who would have entered a pilot that began at `since` (ms), all people enrolled."""
    later = rows.filter(pl.col("at") >= since)
    return later.group_by("uid").agg(pl.col("at").min().alias("entered")).sort("entered", "uid")


def people(rows: pl.DataFrame, entered: pl.DataFrame, until: int, window_days: int = 7) -> pl.DataFrame:
    """The frame of regraft.pilot.people for those of `entered` whose window ended by `until` (ms)."""
    window = window_days * DAY
    who = entered.filter(pl.col("entered") + window <= until)
    own = rows.join(who.select("uid", "entered"), on="uid").with_columns(age=pl.col("at") - pl.col("entered"))
    inside = _numbers(own.filter(pl.col("age").is_between(0, window, closed="left")))
    earlier = own.filter(pl.col("age") < 0)
    before = _numbers(earlier.filter(pl.col("age") >= -window).with_columns(age=pl.col("age") + window))
    recent = earlier.filter(pl.col("age") >= -RECENT * DAY)
    days = recent.group_by("uid").agg((pl.col("age") // DAY).n_unique().alias("days"))
    known = earlier.select("uid").unique().with_columns(known=True)
    found = who.join(inside, on="uid", how="left").with_columns(_idle())
    found = found.join(known, on="uid", how="left").join(days, on="uid", how="left")
    found = found.join(_expected(before), on="uid", how="left")
    idle = [
        pl.when(pl.col("known")).then(pl.col(f"{m}_before").fill_null(0.0)).alias(f"{m}_before")
        for m in METRICS if m != "ctr"
    ]  # fmt: skip
    heavy = pl.when(pl.col("days").fill_null(0) >= HEAVY).then(pl.lit("heavy")).otherwise(pl.lit("light"))
    segment = pl.when(pl.col("known").is_null()).then(pl.lit("new")).otherwise(heavy)
    return found.with_columns(*idle, segment=segment).drop("known", "days").sort("entered", "uid")


def by_day(rows: pl.DataFrame, followed: pl.DataFrame, window_days: int) -> pl.DataFrame:
    """The rows of `followed` (a frame of `people`) once for every day of their windows, with what was done on it.

    `day` is 1 for the first 24 hours since exposure. `active_days` says whether the person was seen on the day, and
    `returned` the same from day 2 on; what was shown counts on the day on which it was shown. Covariates stay those of
    the whole window: the same people stand behind every day, so that a change is one of the effect.
    """
    own = rows.join(followed.select("uid", "entered"), on="uid").with_columns(age=pl.col("at") - pl.col("entered"))
    inside = own.filter(pl.col("age").is_between(0, window_days * DAY, closed="left"))
    found = _numbers(inside.with_columns(day=(pl.col("age") // DAY + 1).cast(pl.Int64)), "uid", "day")
    who = followed.drop("clicks", "ctr_num", "ctr_den", "active_days", "returned")
    days = pl.DataFrame({"day": range(1, window_days + 1)}, schema={"day": pl.Int64})
    return who.join(days, how="cross").join(found, on=["uid", "day"], how="left").with_columns(_idle())


def _served(rows: pl.DataFrame, begun: int, ended: int) -> pl.DataFrame:
    mine = pl.col("arm").is_in(list(COMPARED)) & pl.col("at").is_between(begun, ended, closed="left")
    return rows.filter(mine)


def _first() -> list[pl.Expr]:
    return [pl.col("arm").first(), pl.col("at").min().alias("entered")]


def _numbers(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Every metric per user, or `by` user and day; `age` is ms since the window began."""
    keys = by or ("uid",)
    return rows.group_by(keys).agg(
        pl.col("liked").sum().cast(pl.Float64).alias("clicks"),
        (pl.col("age") // DAY).n_unique().cast(pl.Float64).alias("active_days"),
        (pl.col("age") >= DAY).any().cast(pl.Float64).alias("returned"),
    ).join(_shown(rows, keys), on=keys, how="left")  # fmt: skip


def _shown(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The keys, ctr_num, ctr_den: a place of a list counts once, on its first day, however many rows speak of it."""
    ours = rows.filter(pl.col("position").is_not_null())
    places = ours if len(ours) else rows.with_columns(request_id=pl.int_range(pl.len()).cast(pl.String))
    days = [pl.col(key).min() for key in keys if key != "uid"]
    once = places.group_by("uid", "request_id", "position").agg(pl.col("liked").any(), *days)
    return once.group_by(keys).agg(
        pl.col("liked").sum().cast(pl.Float64).alias("ctr_num"), pl.len().cast(pl.Float64).alias("ctr_den")
    )


def _idle() -> list[pl.Expr]:
    """What is not there did not happen."""
    return [pl.col(name).fill_null(0.0) for name in ("clicks", "active_days", "returned", "ctr_num", "ctr_den")]


def _expected(before: pl.DataFrame) -> pl.DataFrame:
    """The numbers from before exposure, as covariates."""
    return before.with_columns(ctr=pl.col("ctr_num") / pl.col("ctr_den")).select(
        "uid", *(pl.col(m).alias(f"{m}_before") for m in METRICS)
    )
