from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.close_period import CalibrationKind
from regraft.strategies.contender import StrategyContender
from regraft.strategies.fine_tune import FineTune
from regraft.strategies.never import Never
from regraft.strategies.protocol import Settings
from regraft.strategies.replay import Replay
from regraft.testing._ground import learnable, small_stream
from regraft.testing.fake_lab import FakeLab

STREAM = small_stream()


def contender(calibration: CalibrationKind = "none", seed: int = 0, **options: Any) -> StrategyContender:
    return StrategyContender(Replay(memory=100), cast(Any, FakeLab(seed, **options)), calibration)


@pytest.mark.parametrize("calibration", ["none", "logistic", "stack"])
def test_a_contender_that_is_loaded_scores_and_renews_as_the_one_that_was_saved(
    calibration: CalibrationKind, tmp_path: Path
) -> None:
    running = contender(calibration)
    for period in (2, 3):
        running.renew(learnable(STREAM, period))
    running.save(tmp_path / "blend")
    resumed = contender(calibration)
    resumed.load(tmp_path / "blend", learnable(STREAM, 3))
    np.testing.assert_array_equal(resumed.score(STREAM.cases(4)), running.score(STREAM.cases(4)))
    running.renew(learnable(STREAM, 4))
    resumed.renew(learnable(STREAM, 4))
    assert resumed.blend is not None and running.blend is not None
    assert resumed.blend.hash == running.blend.hash
    np.testing.assert_array_equal(resumed.score(STREAM.cases(5)), running.score(STREAM.cases(5)))


def test_a_calibration_is_applied_to_the_scores_of_the_blend() -> None:
    calibrated = contender("logistic")
    for period in (2, 3):
        calibrated.renew(learnable(STREAM, period))
    assert calibrated.blend is not None and calibrated.blend.calibration is not None
    raw = FakeLab().score(calibrated.blend, STREAM.cases(4))
    found = calibrated.blend.calibration
    np.testing.assert_allclose(calibrated.score(STREAM.cases(4)), found.bias + found.weights[0] * raw)


def test_a_stack_reads_facts_under_the_regime_of_the_lab() -> None:
    found = contender("stack", regime=Regime("frozen")).stack
    assert found is not None
    assert found.regime == Regime("frozen")


def test_the_stack_it_needs_is_charged_too() -> None:
    plain, stacked = contender(), contender("stack")
    past = learnable(STREAM, 2)
    assert stacked.renew(past).cost.wall_seconds > plain.renew(past).cost.wall_seconds


class Draws(Settings):
    """Serves nothing and remembers what the lab drew."""

    def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
        return Blend.of(None, state={"drawn": np.array([lab.rng.uniform()])})


def drawn(seed: int, *closes: int) -> float:
    found = StrategyContender(Draws(), cast(Any, FakeLab(seed)))
    for period in closes:
        found.renew(learnable(STREAM, period))
    assert found.blend is not None
    return float(found.blend.state["drawn"][0])


def test_draws_depend_on_seed_and_period_and_not_on_earlier_closes() -> None:
    assert drawn(0, 2, 3, 4) == drawn(0, 4)
    assert len({drawn(0, 3), drawn(0, 4), drawn(1, 4)}) == 3


def test_asking_for_scores_before_the_first_renewal_is_refused() -> None:
    with pytest.raises(AssertionError, match="renew first"):
        contender().score(STREAM.cases(2))


def test_the_guard_of_fine_tuning_keeps_calibration_and_adapter_apart() -> None:
    """An old blend that stays is judged by what its adapter says, then calibrated anew."""
    tuned = StrategyContender(FineTune(), cast(Any, FakeLab()), "logistic")
    for period in (2, 3, 4):
        tuned.renew(learnable(STREAM, period))
    assert tuned.blend is not None
    assert tuned.blend.calibration is not None
    assert sorted(set(STREAM.period[tuned.blend.state["heard.rows"]].tolist())) == [3, 4]


def test_never_serves_the_same_adapter_for_ever_under_calibrations_that_move() -> None:
    never = StrategyContender(Never(), cast(Any, FakeLab()), "logistic")
    served: list[Blend] = []
    for period in (2, 3, 4):
        never.renew(learnable(STREAM, period))
        assert never.blend is not None
        served.append(never.blend)
    adapters = {adapter.hash for blend in served for adapter, _ in blend.parts if adapter is not None}
    assert len(adapters) == 1
    assert len({blend.calibration for blend in served}) == 3
