"""Short term: what was shown and what came of it, from rows that a server's lists brought.

`shown` has one row per item of a list: `uid`, `request_id`, and the bools `clicked` and `converted`.
"""

from __future__ import annotations

import polars as pl

from regraft.metrics.estimate import Estimate, ratio, share


def click_rate(shown: pl.DataFrame) -> Estimate:
    """Clicked items / shown items (CTR), 0 to 1; an item of a list is clicked once at most.

    Answers that were not known when the day was closed do not count. Interval: delta method over people, who see
    many items each (Deng et al. 2018, arXiv 1803.06336).
    """
    people = shown.group_by("uid").agg(pl.col("clicked").sum(), shown=pl.len())
    return ratio(people["clicked"], people["shown"], highest=1.0)


def conversion(shown: pl.DataFrame) -> Estimate:
    """People who converted at least once after a list / people who saw one, 0 to 1. Interval: Wilson's."""
    people = shown.group_by("uid").agg(pl.col("converted").any())
    return share(int(people["converted"].sum()), len(people))
