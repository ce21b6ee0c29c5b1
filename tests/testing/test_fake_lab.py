from __future__ import annotations

import inspect

import numpy as np
import pytest

from regraft.errors import ModelError
from regraft.lm.blend import Blend
from regraft.lm.options import FitOptions
from regraft.testing.fake_lab import BUCKETS, FakeLab, adapter_of, said
from strategies.days import days, log_odds

STREAM = days("heat+ heat+ heat- up-", "heat+ up+ new+")
HEAT, UP, NEW = 0, 1, 2


def test_an_adapter_says_the_smoothed_log_odds_of_each_item() -> None:
    adapter = FakeLab().fit(STREAM.until(2), stop=STREAM.until(2).only(slice(0, 0)))
    np.testing.assert_allclose(said(adapter)[[HEAT, UP, NEW]], [log_odds(2, 1), log_odds(0, 1), 0.0], rtol=1e-6)


def test_training_from_an_adapter_goes_half_of_the_way_where_there_are_examples() -> None:
    lab, start = FakeLab(), adapter_of(np.full(BUCKETS, 2.0))
    adapter = lab.fit(STREAM.cases(2), start=start, stop=STREAM.cases(1))
    expected = [(2 + log_odds(1, 0)) / 2] * 3 + [2.0] * (BUCKETS - 3)
    np.testing.assert_allclose(said(adapter), expected, rtol=1e-6)


def test_weights_count_examples_more_or_less() -> None:
    view = STREAM.until(2)
    adapter = FakeLab().fit(view, stop=view.only(slice(0, 0)), weights=np.array([3.0, 0.0, 1.0, 1.0]))
    assert said(adapter)[HEAT] == pytest.approx(log_odds(3, 1))


def test_without_a_stop_set_the_last_tenth_of_the_newest_period_is_not_trained_on() -> None:
    lab = FakeLab(options=FitOptions(hold_out=0.34))
    assert said(lab.fit(STREAM.until(3)))[NEW] == 0.0
    assert lab.meter.total.targets_trained == 2 * 6


def test_seeds_give_other_factors_that_say_the_same() -> None:
    one, two = FakeLab(0).fit(STREAM), FakeLab(1).fit(STREAM)
    assert one.hash != two.hash
    np.testing.assert_array_equal(said(one), said(two))


def test_the_bare_base_model_says_nothing() -> None:
    assert FakeLab().score(Blend.of(None), STREAM).tolist() == [0.0] * 7


def test_a_state_is_the_items_bucket_and_costs_nothing_where_it_was_served() -> None:
    lab = FakeLab()
    assert lab.states(STREAM.until(2)).argmax(axis=1).tolist() == [HEAT, HEAT, HEAT, UP]
    assert lab.meter.reset().tokens_forward > 0
    lab.states(STREAM.until(2), served=True)
    assert lab.meter.reset().tokens_forward == 0
    assert [call.asked["served"] for call in lab.asked("states")] == [False, True]


def test_the_real_algebra_merges() -> None:
    lab = FakeLab()
    one, two = adapter_of(np.arange(8.0), seed=1), adapter_of(np.ones(8), seed=2)
    np.testing.assert_allclose(said(lab.merge([(one, 0.25), (two, 0.75)])), 0.25 * np.arange(8) + 0.75, rtol=1e-6)
    assert lab.notes[0].startswith("merge exact: relative error")


def test_every_call_is_recorded_with_what_was_asked() -> None:
    lab = FakeLab(seed=4)
    adapter = lab.fit(STREAM, lr=0.1, epochs=2)
    lab.with_seed(5).score(Blend.of(adapter), STREAM.cases(2))
    lab.merge([(adapter, 1.0)], rank=1)
    assert [call.what for call in lab.calls] == ["fit", "score", "merge"]
    fit, score, merge = lab.calls
    assert (fit.view, fit.asked["lr"], fit.asked["epochs"], fit.asked["seed"]) == (STREAM, 0.1, 2, 4)
    assert score.asked == {"adapter": adapter}
    assert (merge.asked["how"], merge.asked["rank"]) == ("exact", 1)


def test_a_view_without_examples_is_refused_as_the_real_lab_refuses_it() -> None:
    with pytest.raises(ModelError, match="fit: the view has no examples"):
        FakeLab().fit(STREAM.only(slice(0, 0)))


def test_it_offers_what_the_real_lab_offers_with_the_same_parameters() -> None:
    lab = pytest.importorskip("regraft.lm.lab", reason="PyTorch is not installed").ModelLab
    offered = {name for name in vars(lab) if not name.startswith("_")}
    missing = offered - {name for name in dir(FakeLab()) if not name.startswith("_")}
    assert missing == {"score_request"}  # serving asks it; a strategy never sees a request
    for name in ("fit", "score", "score_adapter", "states", "log_loss", "merge", "with_seed"):
        real, fake = (inspect.signature(getattr(found, name)) for found in (lab, FakeLab))
        assert list(real.parameters) == list(fake.parameters), name
