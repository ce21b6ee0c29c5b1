"""Long-term measures on worlds small enough to count by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from regraft.metrics.estimate import ratio, share
from regraft.metrics.returning import dormant, repeat_rate, return_rate
from regraft.metrics.satisfaction import complaint_rate, satisfaction
from regraft.metrics.survival import gain_so_far, lifetime_gain, lifetime_value, lives, staying
from regraft.metrics.variety import concentration, diversity

FIRST = date(2025, 1, 6)


def days(*active: str, worth: float = 1.0) -> pl.DataFrame:
    """ "a 0 3 7": person a was there on these days."""
    rows = [
        (who, FIRST + timedelta(days=int(day)), worth)
        for who, *when in (one.split() for one in active) for day in when
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={"uid": pl.String, "day": pl.Date, "worth": pl.Float64}, orient="row")


def on(day: int) -> date:
    return FIRST + timedelta(days=day)


def test_a_return_is_a_later_day_within_the_window_and_not_the_day_itself() -> None:
    log = days("a 0 7", "b 0 8", "c 0", "d 3 4")
    assert return_rate(log, on(0), 7)[::3] == (1 / 3, 3)
    assert return_rate(log, on(0), 8)[::3] == (2 / 3, 3)
    assert np.isnan(return_rate(log, on(1), 7).value)


def test_repeat_counts_days_inside_the_window_only() -> None:
    log = days("a 0 27", "b 0 28", "c 5")
    assert repeat_rate(log, on(27))[::3] == (1 / 3, 3)
    assert repeat_rate(log, on(28))[::3] == (0.0, 3)


def test_dormant_is_silent_on_the_last_days() -> None:
    log = days("a 0", "b 0 6", "c 0 7")
    assert dormant(log, on(20), quiet=14)[::3] == (2 / 3, 3)


def test_a_stay_ends_with_the_first_long_silence() -> None:
    log = days("a 0 2", "b 0 9", "c 0 3 6 9 10", "d 9")
    found = lives(log, on(10), quiet=4)  # what happened after day 6 says only that somebody was there
    assert found.select("uid", "stayed", "gone", "worth").rows() == [
        ("a", 3, True, 2.0),
        ("b", 1, True, 1.0),
        ("c", 7, False, 3.0),
    ]


def test_staying_is_the_share_still_there_where_nobody_is_censored() -> None:
    people = pl.DataFrame({"stayed": [1, 2, 2, 4], "gone": [True] * 4, "worth": [1.0] * 4})
    assert staying(people, 4)["value"].to_list() == pytest.approx([1, 3 / 4, 1 / 4, 1 / 4, 0])


def test_staying_is_kaplan_and_meiers_by_hand() -> None:
    people = pl.DataFrame({"stayed": [1, 2, 3, 3, 5], "gone": [True, False, True, False, False]})
    found = staying(people, 28)
    assert found["value"].to_list() == pytest.approx([1, 4 / 5, 4 / 5, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3, 4 / 5 * 2 / 3])
    assert found["n"].to_list() == [5, 4, 3, 1, 1, 0]


def test_bands_hold_the_truth_of_a_constant_risk() -> None:
    rng, risk, missed = np.random.default_rng(1), 0.05, 0
    for _ in range(60):
        stayed = rng.geometric(risk, 300)
        people = pl.DataFrame({"stayed": np.minimum(stayed, 30), "gone": stayed <= 30})
        row = staying(people).row(14, named=True)
        missed += not row["low"] <= (1 - risk) ** 14 <= row["high"]
    assert missed <= 8


def test_lifetime_value_is_what_a_constant_risk_makes_of_it() -> None:
    rng, risk, covered = np.random.default_rng(2), 0.05, 0
    truth = 2.0 * sum((1 - risk) ** d for d in range(29))
    for seed in range(40):
        left = rng.geometric(risk, 400)
        stayed = np.minimum(left, 40)
        people = pl.DataFrame({"stayed": stayed, "gone": left <= 40, "worth": 2.0 * stayed})
        found = lifetime_value(people, resamples=200, seed=seed)
        covered += found.low <= truth <= found.high
    assert covered >= 34
    assert found.value == pytest.approx(truth, rel=0.15)


def test_lifetime_value_is_too_early_before_the_horizon() -> None:
    people = pl.DataFrame({"stayed": [28] * 50 + [3] * 50, "gone": [False] * 50 + [True] * 50, "worth": [1.0] * 100})
    assert np.isnan(lifetime_value(people).value) and lifetime_value(people).n == 100
    assert lifetime_value(people.with_columns(stayed=pl.when("gone").then(3).otherwise(29))).value > 0


def stays(rng: np.random.Generator, risk: float, worth: float, longest: int = 40) -> pl.DataFrame:
    """400 people who leave at a constant risk, observed for `longest` days."""
    left = rng.geometric(risk, 400)
    stayed = np.minimum(left, longest)
    return pl.DataFrame({"stayed": stayed, "gone": left <= longest, "worth": worth * stayed})


def test_the_gain_is_the_difference_of_lifetime_values_and_covers_what_is_true() -> None:
    rng, covered = np.random.default_rng(3), 0
    truth = np.cumsum([2.2 * 0.96**d - 2.0 * 0.95**d for d in range(29)])
    for seed in range(40):
        control, treatment = stays(rng, 0.05, 2.0), stays(rng, 0.04, 2.2)
        curve = gain_so_far(control, treatment, resamples=200, seed=seed)
        found = lifetime_gain(curve)
        assert found.value == pytest.approx(lifetime_value(treatment).value - lifetime_value(control).value)
        covered += found.low <= truth[-1] <= found.high
    assert covered >= 34
    assert (curve["after"].to_list(), found.n) == (list(range(29)), 400)
    assert curve["value"][0] == pytest.approx(0.2) and curve["value"].to_numpy() == pytest.approx(truth, abs=6)


def test_the_gain_is_too_early_before_the_horizon_and_its_curve_ends_where_an_arm_does() -> None:
    rng = np.random.default_rng(4)
    curve = gain_so_far(stays(rng, 0.02, 1.0, 10), stays(rng, 0.02, 1.0, 20))
    assert curve["after"].max() == 10 and np.isfinite(curve["low"].to_numpy()).all()
    assert np.isnan(lifetime_gain(curve).value) and lifetime_gain(curve).n == 400
    few = gain_so_far(stays(rng, 0.02, 1.0).head(29), stays(rng, 0.02, 1.0))
    assert few["low"].is_nan().all() and few["n"][0] == 29
    assert gain_so_far(few.clear(), few.clear()).is_empty()


def test_satisfaction_is_of_those_who_said_something() -> None:
    people = pl.DataFrame({"satisfied": [3, 0, 0], "dissatisfied": [0, 1, 0]})
    assert satisfaction(people)[::3] == (3 / 4, 2)
    assert complaint_rate(people)[::3] == (1 / 3, 3)


def test_diversity_is_zero_for_the_same_and_one_for_what_shares_nothing() -> None:
    vectors = csr_array(np.array([[1.0, 0], [1, 0], [0, 1]]))
    codes = {"a": 0, "b": 1, "c": 2}

    def of(*items: str) -> float:
        shown = pl.DataFrame({"uid": ["u"] * len(items), "request_id": ["r"] * len(items), "item_id": items})
        return diversity(shown, codes, vectors).value

    assert of("a", "b") == pytest.approx(0.0)
    assert of("a", "c") == pytest.approx(1.0)
    assert of("a", "b", "c") == pytest.approx(2 / 3)
    assert np.isnan(of("a"))


def test_gini_of_one_item_that_has_all_and_of_equal_shares() -> None:
    def shown(*items: str) -> pl.DataFrame:
        return pl.DataFrame({"uid": [str(k % 3) for k in range(len(items))], "item_id": items})

    assert concentration(shown(*"aaaa"), 4).value == pytest.approx(3 / 4)
    assert concentration(shown(*"abcd"), 4).value == pytest.approx(0.0)
    assert concentration(shown(*"aab"), 2).value == pytest.approx(1 / 6)


def test_intervals_of_shares_and_ratios_cover_and_few_people_have_none() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(200):
        seen = rng.poisson(5, 200) + 1
        clicked = rng.binomial(seen, np.clip(rng.beta(2, 8, 200), 0, 1))
        found = ratio(clicked, seen, highest=1.0)
        hits += found.low <= 0.2 <= found.high
    assert 180 <= hits <= 198
    assert np.isnan(share(3, 29).low) and share(3, 30).low > 0
