from __future__ import annotations

import numpy as np

from regraft.strategies.full_retrain_pair import FullRetrainPair
from regraft.testing.fake_lab import FakeLab
from strategies.days import close, days

STREAM = days("heat+ heat-", "heat+ heat+ up-", "heat- heat- heat+")


def test_two_seeds_are_fitted_on_all_history_from_scratch() -> None:
    lab = FakeLab(seed=3)
    close(FullRetrainPair(), STREAM, 3, close(FullRetrainPair(), STREAM, 2), lab)
    one, two = lab.asked("fit")
    assert (one.asked["seed"], two.asked["seed"]) == (3, 4)
    assert one.asked["start"] is None and two.asked["start"] is None
    assert one.view is not None and two.view is not None
    assert one.view.fingerprint == two.view.fingerprint == STREAM.until(4).fingerprint


def test_two_different_adapters_serve_with_half_the_weight_each() -> None:
    blend = close(FullRetrainPair(), STREAM, 3)
    (one, half), (two, other_half) = blend.parts
    assert one is not None and two is not None
    assert one.hash != two.hash
    assert (half, other_half, blend.mode, blend.passes) == (0.5, 0.5, "ensemble", 2)


def test_both_fits_are_charged() -> None:
    lab, single = FakeLab(), FakeLab()
    close(FullRetrainPair(), STREAM, 3, lab=lab)
    single.fit(STREAM.until(4))
    assert lab.meter.total.targets_trained == 2 * single.meter.total.targets_trained


def test_scores_are_the_log_odds_of_the_mean_probability() -> None:
    lab, cases = FakeLab(), STREAM.cases(3)
    blend = close(FullRetrainPair(), STREAM, 2)
    probability = np.mean([1 / (1 + np.exp(-lab.score_adapter(a, cases))) for a, _ in blend.parts], axis=0)
    np.testing.assert_allclose(lab.score(blend, cases), np.log(probability / (1 - probability)), rtol=1e-12)


def test_all_history_must_be_stored() -> None:
    assert FullRetrainPair().stored(STREAM.until(4)) == 8
