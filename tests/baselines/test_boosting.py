from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from regraft.baselines.boosting import Boosting
from regraft.data.regimes import Regime
from regraft.testing._ground import learnable, small_stream

STREAM = small_stream()


def scores(**settings: object) -> np.ndarray:
    baseline = Boosting(Regime(), **settings)  # type: ignore[arg-type]
    baseline.renew(learnable(STREAM, 4))
    return baseline.score(STREAM.cases(5))


def test_the_same_past_and_seed_give_the_same_scores_bit_for_bit() -> None:
    np.testing.assert_array_equal(scores(seed=3), scores(seed=3))


@pytest.mark.parametrize("other", [{"rounds": 20}, {"rate": 0.02}, {"leaves": 4}])
def test_every_setting_matters(other: dict[str, object]) -> None:
    assert (scores(**other) != scores()).any()


def test_more_rounds_fit_the_past_better() -> None:
    past = learnable(STREAM, 4)
    losses = []
    for rounds in (5, 150):
        baseline = Boosting(Regime(), rounds=rounds)
        baseline.renew(past)
        losses.append(np.logaddexp(0, (1 - 2 * past.labels) * baseline.score(past)).mean())
    assert losses[1] < losses[0]


@pytest.mark.parametrize("settings", [{"rounds": 0}, {"rate": 0.0}, {"leaves": 1}, {"rounds": "many"}])
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        Boosting(Regime(), **settings)  # type: ignore[arg-type]
