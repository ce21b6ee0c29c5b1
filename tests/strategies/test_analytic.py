"""The head that learns in closed form: what it remembers, against everything worked out from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regraft.baselines.stack import Stack
from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.lm.head import HeadSums
from regraft.metrics.binary import log_loss
from regraft.strategies.analytic import RIDGES, Analytic
from regraft.strategies.blind_stack import blind_log_odds, score_in_full
from regraft.strategies.close_period import Closed, close_period
from regraft.strategies.strategy_contender import StrategyContender
from regraft.testing.fake_lab import TOKENS, FakeLab
from strategies.days import days

WORLD = simulate(DriftWorld(users=60, items=30, periods=8, seed=1))
LABEL, PERIODS = 'event == "click"', Periods(n=6, warm_up=0.2)
STREAM = build_stream(WORLD.interactions, WORLD.items, LABEL, PERIODS, name="small")


def close(strategy: Analytic, period: int, blend: Blend | None = None, lab: Any = None, log: Stream = STREAM) -> Closed:
    return close_period(strategy, blend, log.until(period + 1), lab or FakeLab())


def closes(strategy: Analytic, first: int = 2, last: int = 5, lab: Any = None, log: Stream = STREAM) -> Blend:
    """The blend that closing periods `first` to `last`, one after the other, gives."""
    blend = None
    for period in range(first, last + 1):
        blend = close(strategy, period, blend, lab, log).blend
    assert blend is not None
    return blend


def from_scratch(blend: Blend, ridge: float, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """theta by the definition, from the records alone."""
    x = np.column_stack([blend.state["records.h"].astype(float), np.ones(len(blend.state["records.h"]))])
    p = 1 / (1 + np.exp(-blend.state["records.o"]))
    a = (x * (weights * p * (1 - p))[:, None]).T @ x
    return np.linalg.solve(a + ridge * np.eye(x.shape[1]), x.T @ (weights * (blend.state["records.y"] - p)))


def theta(blend: Blend) -> np.ndarray:
    assert blend.head is not None
    return blend.head.theta


def same(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def note(blend: Blend, words: str) -> str:
    (found,) = [n for n in blend.notes if words in n]
    return found


# -- the closed form ----------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", ["none", "stack"])
def test_updates_end_where_one_step_on_all_records_ends(offset: Any) -> None:
    blend = closes(Analytic(offset=offset, ridge=10.0))
    assert len(blend.state["records.rows"]) == len(STREAM.until(6))
    same(theta(blend), from_scratch(blend, 10.0))


@pytest.mark.parametrize("offset", ["none", "stack"])
def test_one_close_over_several_periods_is_several_closes(offset: Any) -> None:
    one_by_one, at_once = closes(Analytic(offset=offset)), closes(Analytic(offset=offset), first=5)
    same(theta(one_by_one), theta(at_once))
    for name in ("records.rows", "records.h", "records.o", "records.y"):
        np.testing.assert_array_equal(one_by_one.state[name], at_once.state[name])


def test_a_window_forgets_the_periods_before_it() -> None:
    blend = closes(Analytic(window=2, ridge=10.0))
    assert set(STREAM.period[STREAM.positions(blend.state["records.rows"])].tolist()) == {4, 5}
    same(theta(blend), from_scratch(blend, 10.0))
    assert Analytic(window=2).stored(STREAM.until(6)) == len(blend.state["records.rows"])


@pytest.mark.parametrize("window", [None, 3])
def test_a_half_life_lets_older_periods_count_less(window: int | None) -> None:
    blend = closes(Analytic(half_life=1.0, ridge=10.0, window=window))
    age = 5 - STREAM.period[STREAM.positions(blend.state["records.rows"])]
    same(theta(blend), from_scratch(blend, 10.0, 0.5**age))


def test_records_of_two_machines_add_up() -> None:
    blend = closes(Analytic(ridge=10.0))
    h, o, y = (blend.state[f"records.{name}"] for name in ("h", "o", "y"))
    half = len(h) // 2
    both = HeadSums.of(h[:half], o[:half], y[:half]) + HeadSums.of(h[half:], o[half:], y[half:])
    same(both.solve(10.0), theta(blend))


# -- offsets ------------------------------------------------------------------------------------------


def test_without_a_stack_the_offset_is_the_first_periods_like_rate_for_ever() -> None:
    blend = closes(Analytic())
    labels = STREAM.in_periods(1, 1).labels
    rate = np.log((labels.sum() + 1) / (len(labels) - labels.sum() + 1))
    np.testing.assert_allclose(blend.state["records.o"], rate)
    assert blend.head is not None and blend.head.offset == pytest.approx(rate)


def test_a_records_offset_is_of_the_stack_fitted_before_its_period() -> None:
    lab, blend = FakeLab(), closes(Analytic(offset="stack"))
    past = STREAM.until(6)
    for period in (2, 5):
        stack = Stack(lab.regime, lab.seed)
        stack.renew(past.until(period))
        mine = STREAM.period[STREAM.positions(blend.state["records.rows"])] == period
        np.testing.assert_array_equal(blend.state["records.o"][mine], stack.score(past.in_periods(period, period)))
    first = STREAM.period[STREAM.positions(blend.state["records.rows"])] == 1
    assert len(set(blend.state["records.o"][first])) == 1


def test_an_offset_is_never_rewritten() -> None:
    early, late = closes(Analytic(offset="stack"), last=3), closes(Analytic(offset="stack"))
    n = len(early.state["records.o"])
    np.testing.assert_array_equal(late.state["records.o"][:n], early.state["records.o"])


def test_the_score_is_todays_stack_and_the_head() -> None:
    contender = StrategyContender(Analytic(offset="stack"), FakeLab(), use="analytic")
    contender.renew(STREAM.until(4))
    cases, stack = STREAM.cases(4), Stack(FakeLab().regime, 0)
    stack.renew(STREAM.until(4))
    assert contender.blend is not None and contender.blend.head is not None
    expected = stack.score(cases) + contender.blend.head.log_odds(FakeLab().states(cases))
    np.testing.assert_allclose(contender.score(cases), expected, atol=1e-12)
    assert np.ptp(expected - stack.score(cases)) > 0.01


def test_blind_log_odds_do_not_depend_on_later_periods() -> None:
    past = STREAM.until(6)
    view = past.in_periods(2, 3)
    np.testing.assert_array_equal(blind_log_odds(past, view, FakeLab()), blind_log_odds(past.until(4), view, FakeLab()))


def test_where_no_stack_can_be_fitted_the_last_one_stays() -> None:
    log = days("a+ b- c+ d- e+ f-", "a+")
    blend = None
    for period in (1, 2):
        blend = close(Analytic(offset="stack"), period, blend, log=log).blend
    assert blend is not None
    assert "the stack below it stays as it was" in note(blend, "stack")
    assert np.isfinite(score_in_full(blend, log.cases(2), FakeLab())).all()


# -- the ridge ----------------------------------------------------------------------------------------


def test_the_ridge_is_the_one_that_did_best_on_periods_nothing_had_been_learnt_of() -> None:
    blend, losses = closes(Analytic()), np.zeros(len(RIDGES))
    period = STREAM.period[STREAM.positions(blend.state["records.rows"])]
    for last in (1, 2, 3, 4):
        known, new = period <= last, period == last + 1
        part = {name: blend.state[f"records.{name}"] for name in ("h", "o", "y")}
        x = np.column_stack([part["h"][new].astype(float), np.ones(new.sum())])
        for n, ridge in enumerate(RIDGES):
            step = HeadSums.of(part["h"][known], part["o"][known], part["y"][known]).solve(ridge)
            losses[n] += new.sum() * log_loss(part["y"][new], part["o"][new] + x @ step)
    same(blend.state["head.losses"], losses)
    same(theta(blend), from_scratch(blend, RIDGES[int(np.argmin(losses))]))
    judged = int((period > 1).sum())
    assert note(blend, "records, ridge").endswith(f"(best on {judged:,} rows of later periods)")


def test_before_any_period_has_judged_a_ridge_it_is_a_thousand() -> None:
    blend = close(Analytic(), 1).blend
    assert note(blend, "ridge").endswith("ridge 1000 (no later period has judged it)")
    same(theta(blend), from_scratch(blend, 1000.0))


# -- what an update costs -----------------------------------------------------------------------------


def test_an_update_asks_for_the_newest_period_alone_and_is_charged_no_token() -> None:
    lab = FakeLab()
    first = close(Analytic(), 3, lab=lab)
    assert first.renewal.cost.tokens_forward == TOKENS * len(STREAM.until(4))
    lab.calls.clear()
    second = close(Analytic(), 4, first.blend, lab)
    (call,) = lab.calls
    assert call.what == "states" and call.view is not None
    assert call.view.ids.tolist() == STREAM.in_periods(4, 4).ids.tolist()
    assert second.renewal.cost.tokens_forward == 0


def test_no_row_is_trained_on_so_the_newest_period_is_held_for_the_judge() -> None:
    assert len(close(Analytic(), 3).held) == len(STREAM.in_periods(3, 3))


def test_a_close_tells_what_one_step_costs_against_the_converged_logistic() -> None:
    blend = closes(Analytic())
    words = note(blend, "converged logistic")
    one, other = (float(word.rstrip(",")) for word in words.split() if word.startswith("0."))
    assert abs(one - other) < 0.01
    assert not [n for n in closes(Analytic(compare=False)).notes if "converged" in n]


# -- what is gone, or of no use any more --------------------------------------------------------------


def test_after_rows_are_gone_it_is_as_if_they_had_never_been() -> None:
    users = STREAM.user_ids.gather(STREAM.user[STREAM.in_periods(3, 3).targets[:40]]).unique().to_list()
    gone = WORLD.interactions["user_id"].is_in(users) & (
        WORLD.interactions["timestamp"].dt.epoch("ms") >= STREAM.cuts[1]
    )
    left = build_stream(WORLD.interactions.filter(~gone), WORLD.items, LABEL, PERIODS, name="small", cuts=STREAM.frozen)
    blend = closes(Analytic(ridge=10.0, half_life=2.0), last=4)
    forgot = close(Analytic(ridge=10.0, half_life=2.0), 5, blend, log=left).blend
    never = closes(Analytic(ridge=10.0, half_life=2.0), log=left)
    assert len(blend.state["records.rows"]) > len(left.until(5))
    assert forgot.state["records.rows"].tolist() == never.state["records.rows"].tolist()
    same(theta(forgot), theta(never))
    for name in ("sums.a", "sums.b", "sums.n"):
        same(forgot.state[name], never.state[name])


def test_states_of_another_model_are_of_no_use_so_the_window_is_read_anew_and_charged() -> None:
    blend, lab = closes(Analytic(window=3), last=4), FakeLab()
    lab.states_key = "another template"
    closed = close(Analytic(window=3), 5, blend, lab)
    (call,) = lab.asked("states")
    assert call.view is not None and call.view.ids.tolist() == STREAM.in_periods(3, 5).ids.tolist()
    assert closed.renewal.cost.tokens_forward == TOKENS * len(call.view)
    assert "its window is read anew" in note(closed.blend, "anew")
    fresh = closes(Analytic(window=3), first=5, lab=lab)
    np.testing.assert_array_equal(theta(closed.blend), theta(fresh))


def test_another_set_of_columns_under_the_head_begins_anew_as_well() -> None:
    blend, lab = closes(Analytic(offset="stack"), last=3), FakeLab()
    lab.similarity = "none"
    closed = close(Analytic(offset="stack"), 4, blend, lab)
    assert "its window is read anew" in note(closed.blend, "anew")


def test_a_saved_blend_goes_on_and_scores_with_equal_bits(tmp_path: Path) -> None:
    blend = closes(Analytic(offset="stack"), last=3)
    blend.save(tmp_path / "blend")
    loaded = Blend.load(tmp_path / "blend")
    assert loaded.hash == blend.hash
    one, other = (close(Analytic(offset="stack"), 4, b).blend for b in (blend, loaded))
    assert one.hash == other.hash
    scores = [score_in_full(b, STREAM.cases(5), FakeLab()) for b in (one, other)]
    assert (scores[0] == scores[1]).all()


@pytest.mark.parametrize("kind", ["logistic", "stack"])
def test_a_calibration_on_top_leaves_the_head_in_place(kind: Any) -> None:
    blend = None
    for period in (2, 3):
        blend = close_period(Analytic(), blend, STREAM.until(period + 1), FakeLab(), kind).blend
    assert blend is not None and blend.calibration is not None and blend.head is not None


def test_it_stands_on_the_highest_rung() -> None:
    assert Analytic().rung == "renewed"
