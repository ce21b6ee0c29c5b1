from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from regraft.cost import Renewal
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.lm.blend import Blend
from regraft.lm.options import FitOptions
from regraft.strategies.close_period import close_period
from regraft.strategies.full_retrain import FullRetrain
from regraft.strategies.never import Never
from regraft.strategies.protocol import Settings, Strategy
from regraft.strategies.replay import Replay
from regraft.strategies.short_term import ShortTerm
from regraft.testing._ground import learnable, small_stream, turned
from regraft.testing.fake_lab import BUCKETS, FakeLab, adapter_of, said
from strategies.days import days

Kind = Literal["none", "logistic", "stack"]
SAYS = np.linspace(-3, 3, BUCKETS)  # log-odds per bucket of the adapter that Fixed serves
SCALE, SHIFT = 0.5, 0.8


class Fixed(Settings):
    """Serves the same adapter for ever."""

    def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
        return Blend.of(adapter_of(SAYS))


def closed(
    strategy: Strategy, blend: Blend | None, past: Stream, lab: FakeLab, kind: Kind = "none"
) -> tuple[Blend, Renewal]:
    done = close_period(strategy, blend, past, lab, kind)
    return done.blend, done.renewal


def world(rows: int = 1500, periods: int = 4) -> Stream:
    """Likes drawn with the log-odds SCALE * SAYS + SHIFT of the item's bucket."""
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(periods):
        bucket = np.concatenate([np.arange(BUCKETS), rng.integers(BUCKETS, size=rows - BUCKETS)])
        liked = rng.uniform(size=rows) < 1 / (1 + np.exp(-(SCALE * SAYS[bucket] + SHIFT)))
        texts.append(" ".join(f"i{b}{'+' if y else '-'}" for b, y in zip(bucket, liked, strict=True)))
    return days(*texts)


@pytest.fixture(scope="module")
def scaled() -> Stream:
    return world()


# -- what a close gives -----------------------------------------------------------------------------


def test_every_fit_and_score_of_the_close_is_charged() -> None:
    past, lab, alone = learnable(small_stream(), 3), FakeLab(), FakeLab()
    _, renewal = closed(FullRetrain(), None, past, lab)
    alone.fit(past)
    for name in ("cpu_seconds", "tokens_forward", "tokens_backward", "targets_trained"):
        assert getattr(renewal.cost, name) == getattr(alone.meter.total, name)


def test_charges_from_before_the_close_are_not_its_own() -> None:
    past, lab = learnable(small_stream(), 3), FakeLab()
    lab.fit(past)
    lab.notes.append("old news")
    _, renewal = closed(Never(bare=True), None, past, lab)
    assert (renewal.cost.targets_trained, renewal.notes) == (0, ())


def test_a_calibration_is_charged_with_what_it_scored() -> None:
    stream, lab = small_stream(), FakeLab()
    first, _ = closed(Never(), None, learnable(stream, 2), lab)
    _, plain = closed(Never(), first, learnable(stream, 3), lab)
    past = learnable(stream, 3)
    _, renewal = closed(Never(), first, past, lab, "logistic")
    newest, _ = past.split_last()
    assert renewal.cost.tokens_forward - plain.cost.tokens_forward == 10 * len(newest)
    assert renewal.cost.cpu_seconds > plain.cost.cpu_seconds


def test_sizes_are_those_of_the_new_blend_and_of_what_the_strategy_stores() -> None:
    past = learnable(small_stream(), 3)
    blend, renewal = closed(Replay(buffer=50), None, past, FakeLab())
    assert renewal.cost.adapter_bytes == blend.bytes > 0
    assert renewal.cost.stored_interactions == Replay(buffer=50).stored(past)


def test_a_strategy_that_does_not_say_what_it_stores_stores_everything() -> None:
    class Silent:
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            return Blend.of(None)

    past = learnable(small_stream(), 3)
    assert closed(Silent(), None, past, FakeLab())[1].cost.stored_interactions == len(past)


def test_the_notes_of_the_lab_stand_in_the_blend_and_in_the_renewal() -> None:
    class Chatty(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            lab.notes.append("nothing to report")
            return Blend.of(None)

    blend, renewal = closed(Chatty(), None, learnable(small_stream(), 3), FakeLab())
    assert blend.notes == renewal.notes == ("nothing to report",)


@pytest.mark.parametrize("strategy", [ShortTerm(), Replay(), FullRetrain()])
def test_a_period_without_examples_leaves_the_blend_as_it_is(strategy: Strategy) -> None:
    past, lab = learnable(small_stream(), 3), FakeLab()
    blend, _ = closed(strategy, None, past, lab)
    asked = len(lab.calls)
    again, renewal = closed(strategy, blend, past, lab, "logistic")
    assert again.hash == blend.hash
    assert len(lab.calls) == asked
    assert renewal.notes == ("no new examples since the last close: the blend stays as it is",)
    assert (renewal.cost.targets_trained, renewal.cost.adapter_bytes) == (0, blend.bytes)


# -- calibration ------------------------------------------------------------------------------------


def test_a_logistic_calibration_recovers_a_known_scale_and_shift(scaled: Stream) -> None:
    lab, blend = FakeLab(), None
    for period in range(1, 5):
        blend, renewal = closed(Fixed(), blend, scaled.until(period + 1), lab, "logistic")
    assert blend is not None and blend.calibration is not None
    assert blend.calibration.weights == pytest.approx((SCALE,), abs=0.08)
    assert blend.calibration.bias == pytest.approx(SHIFT, abs=0.08)
    assert renewal.notes == (
        f"calibration logistic: weight {blend.calibration.weights[0]:.3f} on the model's log-odds, 4500 rows",
    )


def test_it_is_fitted_on_what_the_served_blends_said_before_they_learnt_from_the_rows() -> None:
    stream, lab = small_stream(), FakeLab()
    first, _ = closed(ShortTerm(), None, learnable(stream, 2), lab, "logistic")
    second, _ = closed(ShortTerm(), first, learnable(stream, 3), lab, "logistic")
    third, _ = closed(ShortTerm(), second, learnable(stream, 4), lab, "logistic")
    past = learnable(stream, 4)
    two, three = past.in_periods(3, 3), past.in_periods(4, 4)
    assert third.state["served.rows"].tolist() == [*two.ids, *three.ids]
    expected = np.concatenate([lab.score(first, two), lab.score(second, three)])
    np.testing.assert_array_equal(third.state["served.log_odds"], expected)


def test_only_the_three_newest_test_periods_count(scaled: Stream) -> None:
    lab, blend = FakeLab(), None
    for period in range(1, 5):
        blend, _ = closed(Fixed(), blend, scaled.until(period + 1), lab, "logistic")
    assert blend is not None
    assert sorted(set(scaled.period[scaled.positions(blend.state["served.rows"])].tolist())) == [2, 3, 4]


def test_at_the_first_close_the_rows_held_out_of_training_stand_in(scaled: Stream) -> None:
    lab = FakeLab()
    _, renewal = closed(Fixed(), None, scaled.until(2), lab, "logistic")
    assert renewal.notes[0].endswith("150 rows")
    (call,) = lab.asked("score")
    assert call.view is not None
    assert call.view.targets.tolist() == list(range(1350, 1500))


def test_without_held_out_rows_the_first_blend_stays_uncalibrated(scaled: Stream) -> None:
    lab = FakeLab(options=FitOptions(hold_out=0.0))
    blend, renewal = closed(Fixed(), None, scaled.until(2), lab, "logistic")
    assert blend.calibration is None
    assert renewal.notes == ("calibration logistic: no row was held out to fit it on yet",)


def test_rows_of_one_label_cannot_calibrate() -> None:
    stream = days("heat+ up-", "heat+ heat+ heat+")
    blend, _ = closed(Never(bare=True), None, stream.until(2), FakeLab())
    with pytest.raises(DataError) as caught:
        closed(Never(bare=True), blend, stream.until(3), FakeLab(), "logistic")
    assert str(caught.value) == (
        "calibration logistic: 3 examples, all with one label\nExpected likes and dislikes to learn from"
    )


@pytest.mark.parametrize("kind", ["logistic", "stack"])
def test_neither_adapter_nor_calibration_depends_on_rows_at_or_after_the_cut(kind: Kind) -> None:
    stream = small_stream()
    end = int(np.searchsorted(stream.period, 5))
    found = []
    for log in (stream, turned(stream, end)):
        lab, blend = FakeLab(), None
        for period in (2, 3, 4):
            blend, _ = closed(ShortTerm(), blend, learnable(log, period), lab, kind)
        assert blend is not None
        assert all(len(call.view.time) <= end for call in lab.calls if call.view is not None)
        found.append(blend)
    assert found[0].calibration == found[1].calibration
    assert found[0].hash == found[1].hash


def test_a_calibration_is_never_learnt_by_the_next_adapter() -> None:
    stream, lab = small_stream(), FakeLab()
    plain, _ = closed(ShortTerm(), None, learnable(stream, 2), lab)
    other, _ = closed(ShortTerm(), None, learnable(stream, 2), lab, "logistic")
    one, two = plain.single(), replace(other, calibration=None).single()
    assert one is not None and two is not None
    np.testing.assert_array_equal(said(one), said(two))


# -- what the close owns ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "logistic", "stack"])
def test_the_same_arguments_give_the_same_blend_whatever_the_lab_drew_before(kind: Kind) -> None:
    stream, found = small_stream(), []
    for draws in (0, 7):
        lab, blend = FakeLab(), None
        for period in (2, 3, 4):
            lab.rng.uniform(size=draws)
            blend = close_period(Replay(buffer=40), blend, learnable(stream, period), lab, kind).blend
        assert blend is not None
        found.append(blend.hash)
    assert found[0] == found[1]


def test_held_rows_are_the_newest_ones_that_nothing_was_trained_on() -> None:
    past = learnable(small_stream(), 3)
    done = close_period(FullRetrain(), None, past, FakeLab())
    newest, _ = past.split_last()
    assert done.held.tolist() == newest.ids[len(newest) - round(0.1 * len(newest)) :].tolist()


def test_where_nothing_was_trained_the_whole_newest_period_is_held() -> None:
    stream, lab = small_stream(), FakeLab()
    first = close_period(Never(), None, learnable(stream, 2), lab)
    past = learnable(stream, 3)
    assert close_period(Never(), first.blend, past, lab).held.tolist() == past.split_last()[0].ids.tolist()


def test_counting_scores_what_a_calibration_would_be_fitted_on_and_fits_none() -> None:
    stream, lab = small_stream(), FakeLab()
    first = close_period(Never(), None, learnable(stream, 2), lab, "stack", fit_calibration=False)
    asked = len(lab.asked("score"))
    second = close_period(Never(), first.blend, learnable(stream, 3), lab, "stack", fit_calibration=False)
    assert second.blend.calibration is None and not second.blend.fitted
    assert len(lab.asked("score")) == asked + 1
