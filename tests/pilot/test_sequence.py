"""Always-valid intervals: their width, from the mixture they come from, and how often they err when peeked at."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from regraft.pilot.sequence import half_width, p_value, psi, tightest_rho


@pytest.mark.parametrize(("n", "rho", "alpha"), [(400, 0.05, 0.05), (10_000, 0.03, 0.05), (2_000, 0.1, 0.01)])
def test_at_the_bound_the_mixture_of_likelihood_ratios_is_one_over_alpha(n: int, rho: float, alpha: float) -> None:
    total = n * half_width(n, 1.0, rho, alpha)
    peak = total / (n + rho**-2)

    def weighted(rate: float) -> float:
        return math.exp(rate * total - n * rate**2 / 2 - rate**2 / (2 * rho**2)) / (rho * math.sqrt(2 * math.pi))

    mixture, _ = quad(weighted, peak - 12 / math.sqrt(n), peak + 12 / math.sqrt(n), epsabs=0, epsrel=1e-10)
    assert mixture == pytest.approx(1 / alpha, rel=1e-6)


@pytest.mark.parametrize(("n", "alpha"), [(400, 0.05), (20_000, 0.05), (5_000, 0.001)])
def test_the_chosen_rho_gives_the_narrowest_interval(n: int, alpha: float) -> None:
    best = minimize_scalar(lambda x: half_width(n, 1.0, math.exp(x), alpha), bounds=(-12, 3), method="bounded")
    assert math.log(tightest_rho(n, alpha)) == pytest.approx(best.x, abs=1e-3)


@given(
    st.floats(0.001, 2), st.integers(400, 10**6), st.floats(0.1, 10), st.integers(200, 10**5)
)  # fmt: skip
def test_the_interval_at_alpha_p_ends_at_zero(effect: float, n: int, sigma: float, planned: int) -> None:
    rho = tightest_rho(2 * planned, 0.05)
    p = p_value(effect, n, sigma, rho)
    if 1e-200 < p < 1:
        assert half_width(n, sigma, rho, p) == pytest.approx(effect, rel=1e-6)
    elif p == 1:
        assert half_width(n, sigma, rho, 0.999) > effect


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_psi_is_the_effect_on_average_over_all_assignments(share: float) -> None:
    control, treatment = np.array([1.0, 4.0, 2.0, 0.0]), np.array([2.0, 3.0, 5.0, 1.0])
    expected = 0.0
    for assigned in itertools.product([False, True], repeat=4):
        chance = math.prod(share if z else 1 - share for z in assigned)
        expected += chance * psi(np.where(assigned, treatment, control), assigned, share).mean()
    assert expected == pytest.approx((treatment - control).mean())


def test_a_thousand_peeks_give_a_false_alarm_in_at_most_one_of_twenty() -> None:
    rng, planned = np.random.default_rng(0), 2000
    looks = np.unique(np.geomspace(400, 20_000, 1000).astype(int))
    width = np.array([half_width(n, 1.0, tightest_rho(planned, 0.05), 0.05) for n in looks])
    alarms, naive = 0, 0
    for _ in range(1000):
        means = np.cumsum(rng.standard_normal(20_000))[looks - 1] / looks
        alarms += bool((np.abs(means) > width).any())
        naive += bool((np.abs(means) > 1.96 / np.sqrt(looks)).any())
    assert alarms <= 50 < 300 < naive  # a fixed-n interval, peeked at, errs in more than three of ten


def test_without_spread_only_no_difference_is_likely() -> None:
    assert p_value(0.0, 1000, 0.0, 0.1) == 1.0
    assert p_value(0.1, 1000, 0.0, 0.1) == 0.0
