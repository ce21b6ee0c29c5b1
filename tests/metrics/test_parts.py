"""AUC of parts of the periods, from one bootstrap."""

from __future__ import annotations

import numpy as np

from regraft.metrics.intervals import bootstrap
from regraft.metrics.parts import auc_of_parts

RNG = np.random.default_rng(0)
USERS, PERIODS = RNG.integers(50, size=2000), RNG.integers(1, 5, size=2000)
SCORES = RNG.standard_normal(2000)
LABELS = (SCORES + 2 * RNG.standard_normal(2000) > 0).astype(int)


def test_all_periods_are_what_the_bootstrap_of_all_statistics_gives() -> None:
    found = auc_of_parts(LABELS, SCORES, USERS, PERIODS, {"all": range(1, 5)}, n_resamples=50)
    expected = bootstrap(LABELS, SCORES, USERS, PERIODS, n_resamples=50)
    np.testing.assert_allclose(found.values["all"], expected.values["auc"])
    assert found.rows["all"] == expected.rows["auc"]


def test_a_part_is_estimated_from_its_own_rows() -> None:
    found = auc_of_parts(LABELS, SCORES, USERS, PERIODS, {"one": [2], "two": [3, 4]}, n_resamples=10)
    mine = PERIODS == 2
    expected = bootstrap(LABELS[mine], SCORES[mine], USERS[mine], PERIODS[mine], n_resamples=10)
    assert found.values["one"][0] == expected.values["auc"][0]
    assert found.rows["two"] == (PERIODS > 2).sum()


def test_a_period_of_one_class_counts_in_no_part() -> None:
    labels = np.where(PERIODS == 1, 1, LABELS)
    found = auc_of_parts(labels, SCORES, USERS, PERIODS, {"first": [1], "all": range(1, 5)}, n_resamples=5)
    assert np.isnan(found.values["first"]).all()
    assert found.rows["first"] == 0
    assert np.isfinite(found.values["all"]).all()
