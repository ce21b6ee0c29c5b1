"""Calibration: bins, the noise floor of ECE, and temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from regraft.errors import DataError
from regraft.metrics.binary import log_loss
from regraft.metrics.calibration import ece, ece_excess, ece_floor, reliability_curve, temperature


def calibrated_world(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0.3, 1.0, n)
    return rng.random(n) < 1 / (1 + np.exp(-log_odds)), log_odds


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_ece_of_two_bins_by_hand():
    log_odds = [logit(0.2)] * 5 + [logit(0.8)] * 5
    label = [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    # predicted 0.2 against 0.0, predicted 0.8 against 0.6
    assert ece(label, log_odds, bins=2) == pytest.approx(0.2)


def test_the_reliability_curve_gives_prediction_outcome_and_rows_per_bin():
    curve = reliability_curve([0, 1, 1, 1], [logit(0.1), logit(0.3), logit(0.6), logit(0.8)], bins=2)
    assert curve.predicted == pytest.approx([0.2, 0.7])
    assert curve.observed.tolist() == [0.5, 1.0]
    assert curve.rows.tolist() == [2, 2]


def test_bins_hold_equally_many_rows():
    label, log_odds = calibrated_world(1500)
    assert reliability_curve(label, log_odds, bins=15).rows.tolist() == [100] * 15


def test_equal_predictions_share_one_bin_whatever_the_order_of_rows():
    label = [1] * 30 + [0] * 10
    assert ece(label, [logit(0.75)] * 40) == pytest.approx(0.0, abs=1e-12)
    assert ece(label[::-1], [logit(0.75)] * 40) == pytest.approx(0.0, abs=1e-12)


def test_no_rows_have_no_calibration_error():
    assert math.isnan(ece([], []))
    assert math.isnan(ece_excess([], []))
    assert reliability_curve([], []).rows.size == 0


def test_the_floor_of_a_coin_is_the_mean_absolute_deviation_of_the_binomial():
    # one bin of 2 rows at p = 0.5: |likes / 2 - 0.5| is 0.5 half of the time, else 0
    floor = ece_floor([0.0, 0.0], 15, 20_000, np.random.default_rng(0))
    assert floor == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("n", "floor"), [(10_000, 0.013), (2_000, 0.029)])
def test_a_perfect_model_shows_an_ece_of_its_floor(n, floor):
    _, log_odds = calibrated_world(n)
    assert ece_floor(log_odds, 15, 200, np.random.default_rng(0)) == pytest.approx(floor, abs=0.003)


def test_the_excess_of_perfect_models_is_zero_on_average():
    excess = [ece_excess(*calibrated_world(1000, seed), draws=50) for seed in range(40)]
    assert np.mean(excess) == pytest.approx(0.0, abs=0.004)


def test_the_excess_finds_a_model_that_is_too_sure():
    label, log_odds = calibrated_world(5000)
    assert ece_excess(label, 2.5 * log_odds) > 0.05


def test_the_excess_is_reproducible():
    label, log_odds = calibrated_world(500)
    assert ece_excess(label, log_odds, seed=3) == ece_excess(label, log_odds, seed=3)


def test_temperature_undoes_a_scaling():
    label, log_odds = calibrated_world(2000)
    base = temperature(label, log_odds)
    assert base == pytest.approx(1.0, abs=0.1)
    assert temperature(label, 3 * log_odds) == pytest.approx(3 * base, rel=1e-6)


def test_temperature_of_one_repeated_prediction_meets_the_like_rate():
    # three of four liked: the best log-odds is log 3
    assert temperature([1, 1, 1, 0], [2 * math.log(3)] * 4) == pytest.approx(2.0)


def test_no_temperature_near_the_fitted_one_has_a_lower_log_loss():
    label, log_odds = calibrated_world(300)
    best = temperature(label, log_odds)
    for other in (0.9 * best, 1.1 * best):
        assert log_loss(label, log_odds / best) < log_loss(label, log_odds / other)


def test_temperature_stays_within_its_bounds():
    assert temperature([1, 0], [5.0, -5.0]) == 0.05  # separated
    assert temperature([0, 1], [5.0, -5.0]) == 20.0  # contradicted
    assert temperature([1, 0], [0.0, 0.0]) == 1.0  # nothing to scale
    assert math.isnan(temperature([], []))


def test_no_bins_is_an_error():
    with pytest.raises(DataError, match="found 0 bins"):
        ece([1], [0.0], bins=0)
