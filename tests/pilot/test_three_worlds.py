"""From assignment to verdict in three worlds whose truth is known, with policies that only count."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from pilot.scenarios import DAYS, GUARDRAILS, LIFT, OPENS, PRIMARY, SCENARIOS, WINDOW, Scenario
from regraft.data.assign import arm
from regraft.data.drift_world_loop import ClosedLoop
from regraft.data.drift_world_settings import DAY, START
from regraft.data.labels import LabelRule
from regraft.pilot.analyse import Analysis, analyse
from regraft.pilot.settings import Plan
from regraft.pilot.verdict import verdict
from regraft.pilot.windows import exposed, labelled, people

BEGUN = START + (OPENS - 1) * DAY
STORED = {"request_id": pl.String, "arm": pl.String, "version": pl.String, "position": pl.Int32}


@cache
def lived(of: Scenario) -> Analysis:
    """The pilot after its days."""
    loop = ClosedLoop(of.world, OPENS)
    history = loop.history.interactions
    rate = history.group_by("item_id").agg((pl.col("event") == "click").mean())
    best = [loop.item_codes[item] for item in rate.sort("event", "item_id", descending=True)["item_id"].head(8)]
    first = np.arange(8)
    treated = np.array([arm("pilot", who) == "treatment" for who in loop.user_ids])
    chosen = best if "rates" in of.challenger else first
    days = [loop.step(lambda who, _: np.where(treated[who][:, None], chosen, first)) for _ in range(DAYS)]
    served = pl.DataFrame(
        {
            "uid": [loop.user_ids[k] for day in days for k in day.user],
            "arm": ["treatment" if treated[k] else "control" for day in days for k in day.user],
            "time": np.concatenate([day.time for day in days]) + START,
            "event": [("impression", "click")[int(c)] for day in days for c in day.click],
            "position": np.concatenate([day.slot for day in days]),
        },
        schema_overrides=STORED,
    ).with_columns(request_id=pl.int_range(pl.len()).cast(pl.String))
    before = history.select(uid="user_id", time=pl.col("timestamp").dt.epoch("ms"), event="event")
    rows = pl.concat([before, served], how="diagonal_relaxed").with_columns(
        pl.col("time").cast(pl.Datetime("ms", "UTC")), value=pl.lit(None, pl.Float64)
    )
    rows, end = labelled(rows, LabelRule('event == "click"')), BEGUN + DAYS * DAY
    plan = Plan(primary=PRIMARY, minimum_lift=LIFT, guardrails=GUARDRAILS, n=250, weeks=1, window_days=WINDOW)
    return analyse(people(rows, exposed(rows, BEGUN, end), end, WINDOW), plan)


@pytest.mark.parametrize("of", SCENARIOS, ids=lambda of: of.name)
def test_the_verdict_is_right(of: Scenario) -> None:
    assert verdict(lived(of)).decision == of.decision


def test_a_challenger_that_wins_clicks_and_loses_people_is_told_by_its_guardrail() -> None:
    found = lived(SCENARIOS[2])
    assert found.primary.low > 0
    assert found.effect("active_days").relative_high < -GUARDRAILS["active_days"]
