"""An analysis: who is counted, what is said of each metric and segment, and what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pilot.worlds import people, plan
from regraft.errors import DataError
from regraft.metrics.intervals import holm
from regraft.pilot.analyse import DAY, analyse, by_exposure, over_time


def test_every_metric_of_everybody_and_of_the_fixed_segments_is_there() -> None:
    frame = analyse(people(2000), plan(guardrails={"ctr": 0.05}, segments=("new", "regular"))).frame()
    assert frame.select("segment", "metric", "role").rows() == [
        ("", "visits", "primary"), ("", "ctr", "guardrail"),
        ("new", "visits", "primary"), ("new", "ctr", "guardrail"),
        ("regular", "visits", "primary"), ("regular", "ctr", "guardrail"),
    ]  # fmt: skip
    whole, new, regular = (frame.filter(segment=s).row(0, named=True) for s in ("", "new", "regular"))
    assert whole["n_control"] == new["n_control"] + regular["n_control"]
    assert whole["n_control"] + whole["n_treatment"] == 2000


def test_a_known_lift_is_inside_both_intervals_and_outside_zero() -> None:
    effect = analyse(people(6000, visits=1.0), plan(n=3000)).primary
    assert 0 < effect.low < effect.fixed_low < 1.0 < effect.fixed_high < effect.high
    assert effect.p < 0.001
    assert effect.relative == pytest.approx(effect.effect / effect.control)
    assert effect.relative_low == pytest.approx(effect.low / effect.control)


def test_segments_and_other_metrics_are_corrected_together_and_what_decides_is_not() -> None:
    found = analyse(people(3000, visits=0.6), plan(others=("ctr",), segments=("new", "regular")))
    decides, *rest = found.effects
    assert decides.adjusted == decides.p
    assert [e.adjusted for e in rest] == pytest.approx(holm([e.p for e in rest]))


def test_a_lift_that_wears_off_is_seen_day_by_day_with_the_same_people_on_each() -> None:
    lifts = (2.0, 1.0, 0.0)
    days = pl.concat(people(6000, visits=lift).with_columns(day=pl.lit(k)) for k, lift in enumerate(lifts, 1))
    found = by_exposure(days, plan(n=3000, window_days=3), "visits").rows(named=True)
    assert [row["day"] for row in found] == [1, 2, 3]
    assert len({(row["n_control"], row["n_treatment"]) for row in found}) == 1
    assert all(row["low"] < lift < row["high"] for row, lift in zip(found, lifts, strict=True))
    assert found[0]["low"] > found[2]["high"]


def test_a_day_on_which_nothing_was_shown_has_no_effect_rather_than_an_error() -> None:
    days = people(1000).with_columns(day=pl.lit(1), ctr_num=pl.lit(0.0), ctr_den=pl.lit(0.0))
    (row,) = by_exposure(days, plan(primary="ctr", window_days=1), "ctr").rows(named=True)
    assert row["n_control"] + row["n_treatment"] == 1000 and row["low"] != row["low"]


def test_below_two_hundred_users_per_arm_there_is_no_interval() -> None:
    found = analyse(people(390), plan())
    assert not found.enough
    assert np.isnan([found.primary.effect, found.primary.low, found.primary.p]).all()
    assert found.n == min(found.sample_ratio.control, found.sample_ratio.treatment)


def test_nobody_yet_is_an_analysis_of_nothing() -> None:
    found = analyse(people(10).clear(), plan())
    assert (found.n, found.days, found.enough) == (0, 0.0, False)


def test_a_user_without_a_number_from_before_counts_as_the_mean_and_is_marked() -> None:
    frame = people(4000)
    nobody = frame.with_columns(visits_before=pl.lit(None, pl.Float64))
    dropped = frame.drop("visits_before")
    assert analyse(nobody, plan()).primary == analyse(dropped, plan()).primary
    assert analyse(frame, plan()).primary.sigma < 0.9 * analyse(dropped, plan()).primary.sigma


def test_the_funnel_ends_where_the_analysis_is() -> None:
    frame = people(3000, visits=0.5)
    shown = over_time(frame, plan(), "visits")
    last, whole = shown.tail(1).row(0, named=True), analyse(frame, plan()).primary
    assert {name: last[name] for name in ("n_control", "effect", "low", "high")} == {
        name: getattr(whole, name) for name in ("n_control", "effect", "low", "high")
    }
    first = shown.head(1).row(0, named=True)
    ended = frame.filter(pl.col("entered") + 7 * DAY < first["until"])
    assert first["n_control"] == (ended["arm"] == "control").sum()
    width = (shown["high"] - shown["low"]).drop_nans().to_numpy()
    assert width[-1] < 0.5 * width[0]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda f: f.drop("arm"), "people: has no column arm\nExpected the columns of regraft.pilot.people"),
        (lambda f: f.drop("visits"), "people: has no column visits\nExpected the columns of regraft.pilot.people"),
        (
            lambda f: pl.concat([f, f.head(3)]),
            "people: 3 rows repeat a user\nExpected one row per user, each in one arm",
        ),
        (lambda f: f.with_columns(arm=pl.lit("b")), "people: has the arm 'b'\nExpected control or treatment"),
        (
            lambda f: f.with_columns(visits=pl.when(pl.int_range(pl.len()) < 2).then(None).otherwise(pl.col("visits"))),
            "people: 2 values of visits are missing or not finite\nExpected one number per user",
        ),
    ],
)
def test_a_frame_that_cannot_be_analysed_is_refused(broken, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError) as refused:
        analyse(broken(people(500)), plan())
    assert str(refused.value) == message
