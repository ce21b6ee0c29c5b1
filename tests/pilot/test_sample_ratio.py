"""The check that both arms are as large as they should be."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from pilot.worlds import people, plan
from regraft.pilot.analyse import analyse
from regraft.pilot.sample_ratio import PRIOR, sample_ratio


@pytest.mark.parametrize(("control", "treatment"), [(400, 480), (1000, 1290), (50, 20)])
def test_p_is_one_over_the_likelihood_of_any_split_against_a_fair_one(control: int, treatment: int) -> None:
    n = control + treatment

    def weighted(share: float) -> float:
        ratio = math.exp(binom.logpmf(treatment, n, share) - binom.logpmf(treatment, n, 0.5))
        return ratio * float(beta.pdf(share, PRIOR, PRIOR))

    factor, _ = quad(weighted, 0.3, 0.7, epsrel=1e-9)
    assert sample_ratio(control, treatment).p == pytest.approx(min(1.0, 1 / factor), rel=1e-5)


def test_looking_after_every_user_gives_hardly_a_false_alarm() -> None:
    rng, alarms = np.random.default_rng(1), 0
    for _ in range(200):
        treated = np.cumsum(rng.random(5000) < 0.5)
        alarms += any(sample_ratio(n - int(treated[n - 1]), int(treated[n - 1])).mismatch for n in range(1, 5001, 50))
    assert alarms <= 1


def test_a_tenth_of_an_arm_that_is_lost_is_found() -> None:
    frame = people(10_000)
    lost = frame.filter((pl.col("arm") == "control") | (pl.int_range(pl.len()) % 10 > 0))
    assert analyse(lost, plan()).sample_ratio.mismatch
    assert not analyse(frame, plan()).sample_ratio.mismatch


def test_all_who_were_assigned_can_be_counted_instead_of_those_whose_window_ended() -> None:
    assert analyse(people(1000), plan(), assigned=(5000, 4300)).sample_ratio.mismatch
