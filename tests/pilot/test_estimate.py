"""The difference between two arms, against formulas worked out another way."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pilot.worlds import people
from regraft.errors import MissingExtraError
from regraft.pilot.estimate import estimate
from regraft.pilot.people import Values, linear, values
from regraft.pilot.sequence import half_width, psi, tightest_rho


def arms(n: int, seed: int = 0) -> tuple[np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.random(n) < 0.5, rng


def test_a_mean_without_a_covariate_is_welchs_comparison() -> None:
    treated, rng = arms(900)
    value = rng.gamma(2.0, 1.0, 900) + 0.2 * treated
    found = estimate(Values(value, None, None), treated, 0.05, 500)
    error = np.sqrt(value[treated].var(ddof=1) / treated.sum() + value[~treated].var(ddof=1) / (~treated).sum())
    assert found.effect == pytest.approx(value[treated].mean() - value[~treated].mean())
    assert found.fixed_low == pytest.approx(found.effect - stats.norm.ppf(0.975) * error)
    assert found.sigma == pytest.approx(error * 30)


def test_the_sequence_is_that_of_psi_on_residuals() -> None:
    treated, rng = arms(2000)
    before = rng.gamma(2.0, 1.0, 2000)
    value = before + rng.standard_normal(2000) + 0.3 * treated
    found = estimate(Values(value, None, before), treated, 0.05, 1000)
    theta = np.cov(value, before)[0, 1] / before.var(ddof=1)
    residual = value - theta * (before - before.mean()) - value.mean()
    numbers = psi(residual, treated)
    width = half_width(2000, numbers.std(ddof=1), tightest_rho(2000, 0.05), 0.05)
    assert found.effect == pytest.approx(numbers.mean(), abs=2e-3)
    assert (found.high - found.low) / 2 == pytest.approx(width, rel=2e-3)
    assert (found.low + found.high) / 2 == pytest.approx(found.effect)


def test_a_ratio_is_the_difference_of_ratios_of_sums_and_its_spread_that_of_a_bootstrap() -> None:
    treated, rng = arms(3000)
    shown = rng.poisson(20 * rng.gamma(2.0, 0.5, 3000)) + 1
    clicks = rng.binomial(shown, rng.beta(8, 32, 3000))
    found = estimate(Values(clicks * 1.0, shown * 1.0, None), treated, 0.05, 1500)

    def gap(who: np.ndarray, other: np.ndarray) -> float:
        return clicks[who].sum() / shown[who].sum() - clicks[other].sum() / shown[other].sum()

    ours, theirs = np.flatnonzero(treated), np.flatnonzero(~treated)
    assert found.effect == pytest.approx(gap(ours, theirs))
    draws = [gap(rng.choice(ours, len(ours)), rng.choice(theirs, len(theirs))) for _ in range(2000)]
    assert found.sigma / np.sqrt(3000) == pytest.approx(np.std(draws), rel=0.05)


def test_the_covariate_takes_away_the_share_of_variance_that_it_explains() -> None:
    treated, rng = arms(4000)
    before = rng.standard_normal(4000)
    value = 0.8 * before + 0.6 * rng.standard_normal(4000)  # correlation 0.8
    bare, adjusted = (estimate(Values(value, None, b), treated, 0.05, 2000) for b in (None, before))
    r = np.corrcoef(value, before)[0, 1]
    assert (adjusted.sigma / bare.sigma) ** 2 == pytest.approx(1 - r**2, rel=0.01)


def test_the_adjusted_effect_is_that_of_a_regression_on_arm_number_and_indicator() -> None:
    frame = people(4000, visits=0.5)
    treated = (frame["arm"] == "treatment").to_numpy()
    found = estimate(values(frame, "visits"), treated, 0.05, 2000)
    before, known = frame["visits_before"], frame["visits_before"].is_not_null().to_numpy()
    columns = np.column_stack([np.ones(4000), treated, before.fill_null(before.mean()).to_numpy(), ~known])
    regression = np.linalg.lstsq(columns, frame["visits"].to_numpy(), rcond=None)[0]
    assert found.effect == pytest.approx(regression[1], abs=2e-3)


def test_a_covariate_never_widens_the_interval_of_a_ratio() -> None:
    frame = people(4000)
    treated = (frame["arm"] == "treatment").to_numpy()
    with_it = values(frame, "ctr")
    adjusted, bare = (estimate(of, treated, 0.05, 2000) for of in (with_it, with_it._replace(before=None)))
    assert adjusted.sigma < 0.95 * bare.sigma


def test_without_tea_tasting_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tea_tasting", "tea_tasting.aggr", "tea_tasting.metrics"):
        monkeypatch.setitem(sys.modules, name, None)
    treated, rng = arms(500)
    with pytest.raises(MissingExtraError) as missing:
        estimate(Values(rng.random(500), None, None), treated, 0.05, 500)
    assert str(missing.value).startswith("the analysis of a pilot: needs the package 'tea-tasting', which is not inst")


def test_equal_values_have_no_interval() -> None:
    treated, _ = arms(500)
    for of in (Values(np.ones(500), None, None), Values(np.full(500, 0.3), np.full(500, 3.0), None)):
        found = estimate(of, treated, 0.05, 500)
        assert found.effect == 0
        assert np.isnan([found.low, found.high, found.p]).all()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), min_size=2, max_size=40))
def test_linearised_values_have_mean_zero_and_move_as_the_ratio_does(rows: list[tuple[int, int]]) -> None:
    top, bottom = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    line = linear(top, bottom)
    assert line.mean() == pytest.approx(0, abs=1e-9)
    step = 1e-6  # one user more, weighed by a small step: the ratio's derivative is the linearised value
    moved = (top.mean() + step * top) / (bottom.mean() + step * bottom) - top.mean() / bottom.mean()
    assert moved / step == pytest.approx(line, abs=1e-3)
