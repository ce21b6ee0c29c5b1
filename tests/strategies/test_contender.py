from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.blend import Blend
from regraft.strategies.close_period import CalibrationKind
from regraft.strategies.contender import BaselineContender, load_contender
from regraft.strategies.fine_tune import FineTune
from regraft.strategies.never import Never
from regraft.strategies.protocol import Settings
from regraft.strategies.replay import Replay
from regraft.strategies.strategy_contender import StrategyContender
from regraft.testing._ground import learnable, small_stream
from regraft.testing.fake_lab import FakeLab

STREAM = small_stream()


def contender(calibration: CalibrationKind = "none", seed: int = 0, **options: Any) -> StrategyContender:
    return StrategyContender(Replay(buffer=100), FakeLab(seed, **options), calibration, "replay")


@pytest.mark.parametrize("calibration", ["none", "logistic", "stack"])
def test_a_contender_that_is_loaded_scores_and_renews_as_the_one_that_was_saved(
    calibration: CalibrationKind, tmp_path: Path
) -> None:
    running = contender(calibration)
    for period in (2, 3):
        running.renew(learnable(STREAM, period))
    running.save(tmp_path / "blend")
    resumed = contender(calibration)
    resumed.load(tmp_path / "blend")
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


def test_the_stack_it_needs_is_charged_too() -> None:
    plain, stacked = contender(), contender("stack")
    past = learnable(STREAM, 2)
    assert stacked.renew(past).cost.wall_seconds > plain.renew(past).cost.wall_seconds


class Draws(Settings):
    """Serves nothing and remembers what the lab drew."""

    def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
        return Blend.of(None, state={"drawn": np.array([lab.rng.uniform()])})


def drawn(seed: int, *closes: int) -> float:
    found = StrategyContender(Draws(), FakeLab(seed))
    for period in closes:
        found.renew(learnable(STREAM, period))
    assert found.blend is not None
    return float(found.blend.state["drawn"][0])


def test_draws_depend_on_seed_and_period_and_not_on_earlier_closes() -> None:
    assert drawn(0, 2, 3, 4) == drawn(0, 4)
    assert len({drawn(0, 3), drawn(0, 4), drawn(1, 4)}) == 3


def test_asking_for_scores_before_the_first_renewal_is_refused() -> None:
    with pytest.raises(ModelError, match="contender Replay: has no blend yet\nExpected renew or load before it"):
        contender().score(STREAM.cases(2))


def test_the_guard_of_fine_tuning_keeps_calibration_and_adapter_apart() -> None:
    """An old blend that stays is judged by what its adapter says, then calibrated anew."""
    tuned = StrategyContender(FineTune(), FakeLab(), "logistic")
    for period in (2, 3, 4):
        tuned.renew(learnable(STREAM, period))
    assert tuned.blend is not None
    assert tuned.blend.calibration is not None
    assert sorted(set(STREAM.period[STREAM.positions(tuned.blend.state["served.rows"])].tolist())) == [3, 4]


def test_never_serves_the_same_adapter_for_ever_under_calibrations_that_move() -> None:
    never = StrategyContender(Never(), FakeLab(), "logistic")
    served: list[Blend] = []
    for period in (2, 3, 4):
        never.renew(learnable(STREAM, period))
        assert never.blend is not None
        served.append(never.blend)
    adapters = {adapter.hash for blend in served for adapter, _ in blend.parts if adapter is not None}
    assert len(adapters) == 1
    assert len({blend.calibration for blend in served}) == 3


# -- saved, loaded elsewhere and asked --------------------------------------------------------------

ELSEWHERE = """
import sys
import numpy as np
from pathlib import Path
from regraft.strategies.contender import load_contender
from regraft.testing._ground import small_stream
from regraft.testing.fake_lab import FakeLab
lab = FakeLab() if sys.argv[2] == "lab" else None
np.save("scores.npy", load_contender(Path(sys.argv[1]), lab).score(small_stream().cases(5)))
"""


def elsewhere(folder: Path, lab: bool, at: Path) -> np.ndarray:
    """Scores of the saved contender in another process, which never saw the past."""
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(folder), "lab" if lab else "none"], cwd=at, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return np.asarray(np.load(at / "scores.npy"))


@pytest.mark.parametrize("use", ["popularity", "rates", "item-knn", "boosting", "stack"])
def test_a_baseline_is_saved_loaded_elsewhere_and_asked_with_the_same_bits(use: str, tmp_path: Path) -> None:
    baseline = BaselineContender(use, Regime())
    baseline.renew(learnable(STREAM, 4))
    baseline.save(tmp_path / "saved")
    np.testing.assert_array_equal(elsewhere(tmp_path / "saved", False, tmp_path), baseline.score(STREAM.cases(5)))


def test_a_strategy_with_a_stack_is_saved_loaded_elsewhere_and_asked_with_the_same_bits(tmp_path: Path) -> None:
    found = contender("stack")
    for period in (3, 4):
        found.renew(learnable(STREAM, period))
    found.save(tmp_path / "saved")
    np.testing.assert_array_equal(elsewhere(tmp_path / "saved", True, tmp_path), found.score(STREAM.cases(5)))


def test_saving_again_leaves_the_old_contender_or_the_new_one(tmp_path: Path) -> None:
    found = contender()
    for period in (2, 3):
        found.renew(learnable(STREAM, period))
        found.save(tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    resumed = contender()
    resumed.load(tmp_path / "saved")
    assert resumed.blend is not None and found.blend is not None
    assert resumed.blend.hash == found.blend.hash


def test_what_is_no_contender_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "contender.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read: ValueError: contender\\.json lacks kind, regime"):
        load_contender(tmp_path)
    baseline = BaselineContender("rates", Regime())
    baseline.renew(learnable(STREAM, 4))
    baseline.save(tmp_path / "saved")
    with pytest.raises(ModelError, match="is the baseline rates\nExpected stack"):
        BaselineContender("stack", Regime()).load(tmp_path / "saved")
    with pytest.raises(ModelError, match="is a baseline\nExpected a strategy"):
        contender().load(tmp_path / "saved")


def test_a_language_model_without_a_lab_says_what_it_needs(tmp_path: Path) -> None:
    found = contender()
    found.renew(learnable(STREAM, 3))
    found.save(tmp_path / "saved")
    with pytest.raises(ModelError, match="has a language model\nExpected a lab with its base model"):
        load_contender(tmp_path / "saved")
