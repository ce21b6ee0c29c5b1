"""User-cluster bootstrap: exact against repeated rows, honest coverage, paired differences, Holm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from regraft.errors import DataError
from regraft.metrics import intervals
from regraft.metrics.binary import auc, brier, log_loss, uauc
from regraft.metrics.intervals import (
    FEW_USERS,
    Bootstrap,
    Resampler,
    WeightedAuc,
    bootstrap,
    bootstrap_means,
    compare,
    headline,
    holm,
)

ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(-2, 2), st.integers(0, 5), st.integers(11, 13)),
    min_size=1,
    max_size=40,
)  # label, score with many ties, user, period


def columns(rows):
    label, score, user, period = (np.array(column) for column in zip(*rows, strict=True))
    return label, score.astype(float), user, period


def mean_over_periods(measure, period, *arrays):
    values = [measure(*(array[period == p] for array in arrays)) for p in np.unique(period)]
    return np.nanmean(values) if not np.all(np.isnan(values)) else math.nan


def world(seed: int, users: int, rows: int = 12) -> tuple[np.ndarray, ...]:
    """Users with a taste that moves both label and score, over two periods: rows of a user hang together."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), rows)
    taste = rng.normal(size=users)[user]
    score = taste + rng.normal(size=user.size)
    label = rng.random(user.size) < 1 / (1 + np.exp(-1.5 * taste))
    return label, score, user, np.tile([11, 12], user.size // 2)


# -- exactness -------------------------------------------------------------------------------------


@given(ROWS, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_weighted_auc_equals_auc_of_repeated_rows(rows, weight):
    label, score, user, period = columns(rows)
    period = np.unique(period, return_inverse=True)[1]
    both = [p for p in np.unique(period) if len(set(label[period == p])) == 2]
    times = np.array(weight)[user]
    expected = [auc(*(np.repeat(array[period == p], times[period == p]) for array in (label, score))) for p in both]
    found = WeightedAuc(label, score, user, period)(np.array(weight, dtype=float))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=40)
@given(ROWS)
def test_every_resample_equals_the_statistic_of_rows_repeated_as_drawn(rows):
    label, score, user, period = columns(rows)
    found = bootstrap(label, score, user, period, n_resamples=3, seed=5)
    resampler = Resampler(user, 3, 5)
    draws = np.concatenate([np.ones((1, resampler.n_users)), *resampler.batches()])
    for place, counts in enumerate(draws):
        y, s, u, t = (np.repeat(a, counts[resampler.codes].astype(int)) for a in (label, score, user, period))
        expected = {
            "auc": mean_over_periods(auc, t, y, s),
            "pooled_auc": auc(y, s),
            "uauc": mean_over_periods(lambda *rows: uauc(*rows).value, t, y, s, u),
            "log_loss": mean_over_periods(log_loss, t, y, s),
            "brier": mean_over_periods(brier, t, y, s),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(found.values[name][place], value, atol=1e-12, err_msg=name)


def test_auc_is_taken_inside_periods_and_pooled_auc_across_them():
    label, score, period = [1, 0, 1, 0], [1.0, 0.0, 5.0, 4.0], [11, 11, 12, 12]
    found = headline(label, score, [0, 1, 2, 3], period, n_resamples=10)
    assert found["auc"].estimate == 1.0
    assert found["pooled_auc"].estimate == 0.75


def test_a_period_with_one_class_counts_for_log_loss_but_not_for_auc():
    label, score, period = [1, 0, 1, 1], [1.0, 0.0, 5.0, 4.0], [11, 11, 12, 12]
    found = headline(label, score, [0, 1, 2, 3], period, n_resamples=10)
    assert (found["auc"].estimate, found["auc"].n) == (1.0, 2)
    assert found["log_loss"].n == 4
    assert (math.isnan(found["uauc"].estimate), found["uauc"].n) == (True, 0)


def test_without_rows_everything_is_nan_with_n_zero():
    for interval in headline([], [], [], [], n_resamples=3).values():
        assert np.isnan(interval[:3]).all()
        assert interval.n == 0


# -- draws -----------------------------------------------------------------------------------------


def test_every_resample_draws_as_many_users_as_there_are():
    counts = np.concatenate(list(Resampler(["b", "a", "b", "c"], 120, seed=1).batches()))
    assert counts.shape == (120, 3)
    assert (counts.sum(axis=1) == 3).all()
    assert abs(counts.mean() - 1) < 1e-12
    assert counts.std(axis=0).min() > 0


def test_the_seed_alone_decides_the_draws(monkeypatch):
    def drawn(seed):
        return np.concatenate(list(Resampler(range(20), 30, seed).batches()))

    before = drawn(1)
    monkeypatch.setattr(intervals, "BATCH", 7)
    assert (drawn(1) == before).all()
    assert (drawn(2) != before).any()


def test_the_order_of_rows_does_not_matter():
    rows = world(0, users=40)
    turned = [column[::-1] for column in rows]
    for name, interval in headline(*rows, n_resamples=50).items():
        assert headline(*turned, n_resamples=50)[name] == pytest.approx(interval)


# -- intervals -------------------------------------------------------------------------------------


def test_an_interval_holds_the_middle_95_percent_of_the_resamples():
    draws = np.concatenate([[0.5], np.arange(1001) / 1000])
    found = Bootstrap({"auc": draws}, {"auc": 7}, (7, 3, 0)).interval("auc")
    assert found == pytest.approx((0.5, 0.025, 0.975, 7))
    narrow = Bootstrap({"auc": draws}, {"auc": 7}, (7, 3, 0)).interval("auc", level=0.5)
    assert narrow[1:3] == pytest.approx((0.25, 0.75))


@pytest.mark.parametrize("users", [1, 2, FEW_USERS - 1])
def test_below_a_number_of_users_there_is_no_interval_and_no_p_value(users: int):
    label, score, user, period = world(0, users=users)
    found = bootstrap(label, score, user, period, n_resamples=50)
    for name in ("auc", "log_loss", "brier"):
        interval = found.interval(name)
        assert math.isfinite(interval.estimate) and math.isnan(interval.low) and math.isnan(interval.high)
    gap = compare(label, score, score + np.random.default_rng(0).normal(size=score.size), user, period, n_resamples=50)
    assert math.isnan(gap["auc"].low) and math.isnan(gap["auc"].p)
    assert (found.few("auc"), found.few("log_loss")) == (users, users)


def test_from_that_number_of_users_on_there_is_one():
    found = bootstrap(*world(0, users=FEW_USERS), n_resamples=50)
    low, high = found.interval("auc")[1:3]
    assert low < high and found.few("auc") is None


def test_users_of_one_class_do_not_count_for_a_statistic_inside_users():
    user = np.repeat(np.arange(40), 4)
    label = np.where(user < 3, np.arange(160) % 2, user % 2)  # three users like one thing and dislike another
    found = bootstrap(label, np.random.default_rng(0).normal(size=160), user, np.ones(160), n_resamples=50)
    assert (found.few("uauc"), found.few("auc")) == (3, None)
    assert math.isnan(found.interval("uauc").low)


def test_resamples_that_never_differ_are_no_certainty():
    constant = Bootstrap({"auc": np.full(101, 0.7)}, {"auc": 9}, (9, 50, 0))
    other = Bootstrap({"auc": np.full(101, 0.6)}, {"auc": 9}, (9, 50, 0))
    assert math.isnan(constant.interval("auc").low)
    assert math.isnan(constant.minus(other, "auc").p)
    assert constant.minus(constant, "auc")[:4] == (0.0, 0.0, 0.0, 1.0)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    label, score, _, period = world(999, users=50_000)
    truth = np.mean([auc(label[period == p], score[period == p]) for p in (11, 12)])
    hits = 0
    for seed in range(200):
        _, low, high, _ = headline(*world(seed, users=60), n_resamples=200, seed=seed)["auc"]
        hits += low <= truth <= high
    assert 0.89 <= hits / 200 <= 0.99  # 95 % give or take; a percentile interval of 60 users is a bit short


def test_rows_taken_for_independent_would_promise_too_much():
    label, score, user, period = world(0, users=200)
    _, low, high, _ = headline(label, score, user, period, n_resamples=300)["auc"]
    _, low_rows, high_rows, _ = headline(label, score, np.arange(user.size), period, n_resamples=300)["auc"]
    assert high - low > 1.2 * (high_rows - low_rows)


# -- differences -----------------------------------------------------------------------------------


def test_a_scorer_does_not_differ_from_itself():
    label, score, user, period = world(0, users=20)
    for difference in compare(label, score, score, user, period, n_resamples=50).values():
        assert difference[:4] == (0.0, 0.0, 0.0, 1.0)


def test_the_difference_is_that_of_the_estimates_and_much_surer_than_either():
    label, score, user, period = world(0, users=100)
    better = score + 0.2 * label
    a, b = (headline(label, s, user, period, n_resamples=300)["auc"] for s in (better, score))
    gap = compare(label, better, score, user, period, n_resamples=300)["auc"]
    assert gap.estimate == pytest.approx(a.estimate - b.estimate)
    assert gap.high - gap.low < 0.5 * (b.high - b.low)
    assert gap.low > 0
    assert gap.p == pytest.approx(2 / 301)
    assert gap.n == user.size


def test_differences_of_equally_good_scorers_are_rarely_significant():
    p_values = []
    for seed in range(100):
        label, score, user, period = world(seed, users=60)
        noise = np.random.default_rng(1000 + seed).normal(size=(2, score.size))
        gap = compare(label, score + noise[0], score + noise[1], user, period, n_resamples=100)
        p_values.append(gap["auc"].p)
    assert np.mean(np.array(p_values) < 0.05) <= 0.12
    assert 0.35 < np.mean(p_values) < 0.65


def test_p_is_twice_the_share_of_resamples_on_the_rarer_side():
    def scorer(values):
        return Bootstrap({"auc": np.array(values)}, {"auc": 5}, (5, 5, 0))

    zero = scorer([0.0] * 10)
    assert scorer([1.0, *[1.0] * 8, -1.0]).minus(zero, "auc").p == pytest.approx(2 * 2 / 10)
    assert scorer([1.0, 0.9, *[1.0] * 8]).minus(zero, "auc").p == pytest.approx(2 * 1 / 10)
    assert math.isnan(scorer([math.nan] * 10).minus(zero, "auc").p)


def test_scorers_of_different_rows_are_not_compared():
    label, score, user, period = world(0, users=20)
    a = bootstrap(label, score, user, period, n_resamples=5)
    b = bootstrap(label[:-1], score[:-1], user[:-1], period[:-1], n_resamples=5)
    with pytest.raises(DataError) as caught:
        a.minus(b, "auc")
    assert str(caught.value) == (
        "paired difference: (rows, users, seed) are (240, 20, 0) and (239, 20, 0), with 5 and 5 resamples\n"
        "Expected two scorers on the same rows with the same draws."
    )


# -- Holm ------------------------------------------------------------------------------------------


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04 times 3, 2, 1; never smaller than the one before
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([]).size == 0


def test_holm_leaves_undefined_p_values_out_of_the_count():
    np.testing.assert_allclose(holm([0.01, math.nan, 0.04]), [0.02, math.nan, 0.04])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_raw_and_the_bonferroni_p_values(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
    assert (adjusted >= false_discovery_control(p) - 1e-12).all()  # stricter than Benjamini-Hochberg


def test_means_of_columns_weigh_a_row_as_often_as_its_user_is_drawn():
    users = np.repeat(np.arange(40), 3)
    values = np.random.default_rng(0).random(120)
    found = bootstrap_means({"a": values, "twice": 2 * values}, users, n_resamples=50)
    drawn = next(Resampler(users, 50).batches())
    assert found.values["a"][0] == pytest.approx(values.mean())
    assert found.values["a"][1:] == pytest.approx([np.average(values, weights=counts[users]) for counts in drawn])
    low, high = found.interval("a").low, found.interval("a").high
    assert low < values.mean() < high and found.interval("a").n == 120
    assert found.values["twice"] == pytest.approx(2 * found.values["a"])
