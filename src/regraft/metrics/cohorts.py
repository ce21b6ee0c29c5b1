"""Long term: people by the week in which they were new. `days` has a row per person and day with activity."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from regraft.metrics.estimate import share

WEEKS = 12  # for which a cohort is followed
SILENT = 4  # weeks without anything before, of who counts as new
SPAN = 7 * (WEEKS + 1 + SILENT)  # days that `cohort_return` looks at
COHORTS = pl.Schema(
    {"joined": pl.Date, "after": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}
)


def cohort_return(days: pl.DataFrame, until: date) -> pl.DataFrame:
    """People who were new in a week and are there again k weeks later / people who were new in it, 0 to 1.

    Stands under the Monday of the week in which they were new, for k = 1 to 12. New: there in a week, and in none of
    the four before it, as far back as the log goes; so everybody is new in the first week of a log, and who comes back
    after a long silence is new again. A week ends on Sunday (UTC) and is counted once it is over. Interval: Wilson's.
    """
    end = until - timedelta(days=(until.weekday() + 1) % 7)  # the last Sunday
    first = end - timedelta(days=7 * (WEEKS + 1) - 1)  # the Monday of the oldest cohort
    weeks = (
        days.filter(pl.col("day").is_between(end - timedelta(days=SPAN), end, closed="right"))
        .select("uid", week=pl.col("day").dt.truncate("1w")).unique().sort("uid", "week")
    )  # fmt: skip
    pause = pl.col("week") - pl.col("week").shift(1).over("uid")
    new = pause.is_null() | (pause > timedelta(weeks=SILENT))
    joined = weeks.filter(new & (pl.col("week") >= first)).select("uid", joined="week")
    size = dict(joined.group_by("joined").len().iter_rows())
    after = (pl.col("week") - pl.col("joined")).dt.total_days() // 7
    there = joined.join(weeks, on="uid").group_by("joined", after.alias("after")).len().rows_by_key(["joined", "after"])
    found = []
    for week, people in sorted(size.items()):
        for k in range(1, min(WEEKS, (end - week).days // 7) + 1):
            again = there.get((week, k), [(0,)])[0][0]
            found.append((week, k, *share(again, people)))
    return pl.DataFrame(found, schema=COHORTS, orient="row")
