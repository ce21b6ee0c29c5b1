"""In the closed loop, bait is clicked more at once, and the long-term numbers say what that costs."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from regraft.data.drift_world import DriftWorld
from regraft.data.drift_world_life import Visits
from regraft.data.drift_world_loop import ClosedLoop
from regraft.data.drift_world_settings import START
from regraft.metrics.estimate import Estimate
from regraft.metrics.returning import return_rate
from regraft.metrics.served import click_rate
from regraft.metrics.survival import lifetime_value, lives, staying

OPENS, DAYS, SLOTS, QUIET = 4, 50, 6, 7
BEGINS = date(2025, 1, 6) + timedelta(days=OPENS - 1)
LAST = BEGINS + timedelta(days=DAYS - 1)


def shown(seen: Visits, arms: np.ndarray) -> pl.DataFrame:
    time = pl.Series(START + seen.time).cast(pl.Datetime("ms"))
    arm = pl.Series(["honest", "bait"]).gather(arms[seen.user])
    return pl.DataFrame({"uid": seen.user, "arm": arm, "day": time.dt.date(), "clicked": seen.click})


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """50 days in which half of the people are shown bait."""
    world = DriftWorld(
        users=3000, items=60, periods=OPENS - 1 + DAYS, seed=5, taste_change_at=None, from_start=1.0, bait=0.2,
        churn=0.03,
    )  # fmt: skip
    loop = ClosedLoop(world, OPENS)
    arms = np.random.default_rng(0).integers(2, size=world.users)
    orders = np.array([np.argsort(sign * loop.items.bait, kind="stable")[:SLOTS] for sign in (1, -1)])
    days = [shown(loop.step(lambda who, begin: orders[arms[who]]), arms) for _ in range(DAYS)]
    return pl.concat(days)


def by_arm(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    return rows.filter(arm="bait"), rows.filter(arm="honest")


def above(one: Estimate, other: Estimate) -> bool:
    return one.low > other.high


def days_of(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("uid", "day").unique().with_columns(worth=1.0)


def test_bait_is_clicked_more(rows: pl.DataFrame) -> None:
    bait, honest = by_arm(rows)
    assert above(click_rate(bait), click_rate(honest))


def test_fewer_come_back_within_a_week_and_a_month(rows: pl.DataFrame) -> None:
    bait, honest = (days_of(part) for part in by_arm(rows))
    on = BEGINS + timedelta(days=2)
    for within in (7, 28):
        assert return_rate(bait, on, within).value < return_rate(honest, on, within).value
    assert above(return_rate(honest, LAST - timedelta(days=28), 28), return_rate(bait, LAST - timedelta(days=28), 28))


def test_they_stay_for_a_shorter_time_and_are_worth_less(rows: pl.DataFrame) -> None:
    bait, honest = (lives(days_of(part), LAST, QUIET) for part in by_arm(rows))
    ends = [staying(part).row(28, named=True) for part in (bait, honest)]
    assert ends[0]["high"] < ends[1]["low"]
    assert above(lifetime_value(honest), lifetime_value(bait))


def test_before_day_28_the_worth_is_too_early_while_clicks_are_known(rows: pl.DataFrame) -> None:
    early = rows.filter(pl.col("day") < BEGINS + timedelta(days=20))
    bait, honest = by_arm(early)
    assert above(click_rate(bait), click_rate(honest))
    until = BEGINS + timedelta(days=19)
    assert all(np.isnan(lifetime_value(lives(days_of(part), until, QUIET)).value) for part in (bait, honest))
