"""Long term: what people say of it, by rules that the site declares (a rating, a return of goods, a complaint).

`people` has one row per person: how many of their events are `satisfied` and `dissatisfied`, and `lists` they saw.
"""

from __future__ import annotations

import polars as pl

from regraft.metrics.estimate import Estimate, ratio, share


def satisfaction(people: pl.DataFrame) -> Estimate:
    """Satisfied events / (satisfied + dissatisfied events), 0 to 1; NaN where nobody said anything.

    Interval: delta method over the people who said something.
    """
    said = people.filter(pl.col("satisfied") + pl.col("dissatisfied") > 0)
    return ratio(said["satisfied"], said["satisfied"] + said["dissatisfied"], highest=1.0)


def complaint_rate(people: pl.DataFrame) -> Estimate:
    """People with a dissatisfied event / people who were there, 0 to 1. Lower is better. Interval: Wilson's."""
    return share(int((people["dissatisfied"] > 0).sum()), len(people))
