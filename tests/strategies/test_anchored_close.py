"""Closes with `calibration: stack`: the model can correct the stack, and what corrects it was said blindly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regraft.cost import Cost
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.anchored import Anchored
from regraft.lm.blend import Blend, Calibration
from regraft.metrics.binary import log_loss
from regraft.prompts.facts import fact_table
from regraft.strategies.close_period import close_period
from regraft.strategies.contender import BaselineContender
from regraft.strategies.never import Never
from regraft.strategies.protocol import Strategy
from regraft.strategies.replay import Replay
from regraft.strategies.short_term import ShortTerm
from regraft.strategies.strategy_contender import StrategyContender
from regraft.testing._ground import learnable, small_stream
from regraft.testing.fake_lab import FakeLab

STREAM = small_stream()
CLOSES = (2, 3, 4, 5)


class Oracle(FakeLab):
    """Its base model says what a row's label is, under much noise and by row alone: it knows what no log tells."""

    def __init__(self, knows: float, constant: float = 0.0) -> None:
        super().__init__()
        self.knows, self.constant = knows, constant

    def score_adapter(self, adapter: Any, view: Stream) -> np.ndarray:
        super().score_adapter(adapter, view)
        if not self.knows:
            return np.full(len(view), self.constant)
        noise = np.random.default_rng(5).normal(size=len(STREAM.time))[view.targets]
        return self.constant + self.knows * (2 * view.labels - 1) + noise


def closes(lab: FakeLab, strategy: Strategy | None = None) -> Iterator[tuple[int, StrategyContender]]:
    """The contender after each close."""
    contender = StrategyContender(strategy or Never(bare=True), lab, "stack")
    for period in CLOSES:
        contender.renew(learnable(STREAM, period))
        yield period, contender


def stack_after(period: int, regime: Regime | None = None) -> BaselineContender:
    stack = BaselineContender("stack", regime or Regime())
    stack.renew(learnable(STREAM, period))
    return stack


# -- never below the stack --------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [0.0, 0.3])
def test_a_model_that_always_says_the_same_is_the_stack(constant: float) -> None:
    for period, contender in closes(Oracle(0.0, constant)):
        cases = STREAM.cases(period + 1)
        np.testing.assert_allclose(contender.score(cases), stack_after(period).score(cases), rtol=0, atol=1e-12)


def test_at_the_first_close_every_model_is_the_stack_and_nothing_is_asked_of_it() -> None:
    lab = Oracle(1.0)
    period, contender = next(closes(lab))
    assert not lab.asked("score")
    assert contender.blend is not None and contender.blend.calibration == Anchored()
    assert contender.blend.notes == ("calibration stack: beta 0: nothing was served yet",)
    cases = STREAM.cases(period + 1)
    np.testing.assert_array_equal(contender.score(cases), stack_after(period).score(cases))


def test_a_model_that_knows_more_makes_the_stack_better_from_the_third_close_on() -> None:
    gains = []
    for period, contender in closes(Oracle(1.0)):
        cases = STREAM.cases(period + 1)
        gains.append(
            log_loss(cases.labels, stack_after(period).score(cases)) - log_loss(cases.labels, contender.score(cases))
        )
    assert gains[:2] == [0, 0]
    assert min(gains[2:]) > 0.05
    assert contender.blend is not None and " pooled on " in contender.blend.notes[-1]


@pytest.mark.parametrize("regime", [Regime(), Regime("frozen")])
def test_stack_and_cells_are_read_under_the_regime_of_the_lab(regime: Regime) -> None:
    contender = StrategyContender(Replay(buffer=100), FakeLab(regime=regime), "stack")
    contender.renew(learnable(STREAM, 3))
    betas = tuple(np.linspace(-1, 1, 16))
    contender.blend = replace(contender.blend, calibration=Anchored(0.1, 0.2, betas))  # type: ignore[type-var]
    cases = STREAM.cases(4)
    facts = fact_table(cases, regime)[cases.targets]
    expected = Anchored(0.1, 0.2, betas).apply(
        FakeLab().score(contender.blend, cases), stack_after(3, regime).score(cases),
        facts["item_count"].to_numpy(), facts["user_count"].to_numpy(),
    )  # fmt: skip
    np.testing.assert_allclose(contender.score(cases), expected, rtol=0, atol=1e-12)


# -- blind ------------------------------------------------------------------------------------------


def test_model_and_stack_scored_the_rows_before_they_learnt_from_them() -> None:
    lab, expected = FakeLab(), {}
    before: tuple[int, Blend] | None = None
    for period, contender in closes(lab, ShortTerm()):
        blend = contender.blend
        assert blend is not None
        if before is not None:
            newest, _ = learnable(STREAM, period).split_last()
            m, s = FakeLab().score(before[1], newest), stack_after(before[0]).score(newest)
            expected[period] = (newest.ids, m, s)
            recent = [expected[p] for p in expected if p > period - 3]
            for name, values in zip(("rows", "log_odds", "stack"), zip(*recent, strict=True), strict=True):
                np.testing.assert_array_equal(blend.state[f"served.{name}"], np.concatenate(values))
        before = period, blend


def test_a_period_that_goes_on_after_a_close_adds_its_new_rows_only() -> None:
    first = close_period(Never(bare=True), None, learnable(STREAM, 2), FakeLab(), "stack").blend
    past = learnable(STREAM, 3)
    half = past.only(slice(None, len(past) - 100))
    second = close_period(Never(bare=True), first, half, FakeLab(), "stack").blend
    third = close_period(Never(bare=True), second, past, FakeLab(), "stack").blend
    np.testing.assert_array_equal(third.state["served.rows"], past.split_last()[0].ids)
    late = past.only(slice(-100, None))
    assert second is not None
    restored = StrategyContender(Never(bare=True), FakeLab(), "stack")
    restored.blend = second
    np.testing.assert_array_equal(third.state["served.stack"][-100:], restored._stack.score(late))


def test_a_blend_that_had_no_stack_begins_to_serve_with_one_at_this_close() -> None:
    blend, served = None, []
    for period, kind in zip(CLOSES, ("logistic", "logistic", "stack", "stack"), strict=True):
        blend = close_period(Never(), blend, learnable(STREAM, period), FakeLab(), kind).blend  # type: ignore[arg-type]
        served.append({name: len(rows) for name, rows in blend.state.items() if name.startswith("served.")})
    newest, _ = learnable(STREAM, 5).split_last()
    assert served[2] == {}
    assert served[3] == dict.fromkeys(["served.rows", "served.log_odds", "served.stack", "served.checks"], len(newest))


# -- kept, charged, counted -------------------------------------------------------------------------


def test_going_on_from_what_was_saved_is_going_on(tmp_path: Path) -> None:
    unbroken = dict(closes(Oracle(1.0)))[CLOSES[-1]]
    resumed = StrategyContender(Never(bare=True), Oracle(1.0), "stack")
    for period in CLOSES:
        resumed.renew(learnable(STREAM, period))
        resumed.save(tmp_path / "saved")
        resumed = StrategyContender(Never(bare=True), Oracle(1.0), "stack")
        resumed.load(tmp_path / "saved")
    assert resumed.blend is not None and unbroken.blend is not None
    assert resumed.blend.hash == unbroken.blend.hash
    assert isinstance(resumed.blend.calibration, Anchored) and any(resumed.blend.calibration.betas)
    np.testing.assert_array_equal(resumed.score(STREAM.cases(6)), unbroken.score(STREAM.cases(6)))


def test_a_stack_fitted_once_is_charged_to_everyone_in_full() -> None:
    stream = replace(STREAM, shared={})
    fact_table(stream, Regime())
    costs: list[Cost] = []
    for _ in range(3):
        past = learnable(stream, 4)
        costs.append(close_period(Never(bare=True), None, past, FakeLab(), "stack").renewal.cost)
    assert min(cost.cpu_seconds for cost in costs[1:]) > 0.8 * costs[0].cpu_seconds > 0.01
    assert costs[0].stored_interactions == len(learnable(stream, 4).time)


def test_what_the_strategy_has_fitted_stays_beside_the_stack() -> None:
    class Offset(Never):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            return Blend.of(None, fitted={"offset.head": np.ones(3), "stack.of old": np.ones(2)})

    blend = close_period(Offset(), None, learnable(STREAM, 2), FakeLab(), "stack").blend
    assert blend.fitted["offset.head"].tolist() == [1, 1, 1]
    assert "stack.of old" not in blend.fitted and any(name.startswith("stack.") for name in blend.fitted)


def test_a_stack_calibration_of_before_is_refused_with_the_way_out(tmp_path: Path) -> None:
    contender = StrategyContender(Never(bare=True), FakeLab(), "stack")
    contender.blend = Blend.of(None, calibration=Calibration(0.1, (1.0, 0.5), ("recent",)))
    contender.save(tmp_path / "saved")
    with pytest.raises(ModelError) as caught:
        contender.load(tmp_path / "saved")
    assert str(caught.value) == (
        f"contender '{tmp_path / 'saved'}': has a stack calibration of an earlier version, fitted without an anchor\n"
        "Expected one that was renewed by this version\nBegin anew: another run folder"
    )
