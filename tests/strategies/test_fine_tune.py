from __future__ import annotations

import pytest
from pydantic import ValidationError

from regraft.strategies.fine_tune import FineTune
from regraft.testing.fake_lab import FakeLab
from strategies.days import close, days, log_odds, positions

TEN = "heat+ " * 10
TURNED = "heat- " * 9 + "heat+"  # training says dislike, the held-out row says like


def test_the_first_close_fits_all_that_is_there_from_scratch() -> None:
    stream, lab = days("heat+ heat-", TEN), FakeLab()
    blend = close(FineTune(), stream, 2, lab=lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    assert fit.view.fingerprint == stream.until(3).fingerprint
    assert fit.asked["start"] is None
    assert blend.state == {} and blend.kept == {}


def test_a_later_close_goes_on_from_the_last_adapter_with_nine_tenths_of_the_newest_period() -> None:
    stream, lab = days("heat+ heat-", TEN), FakeLab()
    first = close(FineTune(), stream, 1)
    close(FineTune(lr=0.01, epochs=4), stream, 2, first, lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    assert (positions(fit.view, 1), positions(fit.view, 2)) == ([], list(range(9)))
    assert positions(fit.asked["stop"], 2) == [9]
    assert (fit.asked["start"], fit.asked["lr"], fit.asked["epochs"]) == (first.single(), 0.01, 4)


def test_without_settings_the_lab_decides_rate_and_epochs() -> None:
    stream, lab = days("heat+ heat-", TEN), FakeLab()
    close(FineTune(), stream, 2, close(FineTune(), stream, 1), lab)
    assert (lab.asked("fit")[0].asked["lr"], lab.asked("fit")[0].asked["epochs"]) == (None, None)


def test_a_better_adapter_takes_the_place_of_the_old_one() -> None:
    stream, lab = days("heat+ heat-", TEN), FakeLab()
    first = close(FineTune(), stream, 1)
    second = close(FineTune(), stream, 2, first, lab)
    assert second.hash != first.hash
    assert lab.notes == []
    # Half of the way from log(2/2) to log(10/1).
    assert lab.score(second, stream.cases(2))[0] == pytest.approx((log_odds(1, 1) + log_odds(9, 0)) / 2)


def test_the_old_adapter_stays_when_the_new_one_is_no_better_and_the_note_says_by_how_much() -> None:
    stream, lab = days("heat+ heat+ heat+ heat-", TURNED), FakeLab()
    first = close(FineTune(), stream, 1)
    assert close(FineTune(), stream, 2, first, lab).hash == first.hash
    # The held-out row is a like: its loss is log(1 + 1/2) under log(4/2), log(1 + sqrt 5) half way to log(1/10).
    assert lab.notes == ["kept the old adapter: log-loss 1.1744 on 1 held-out rows, before 0.4055"]


def test_the_guard_can_be_switched_off() -> None:
    stream, lab = days("heat+ heat+ heat+ heat-", TURNED), FakeLab()
    first = close(FineTune(), stream, 1)
    assert close(FineTune(keep_old=False), stream, 2, first, lab).hash != first.hash
    assert lab.notes == []


def test_the_old_adapter_stays_when_there_are_too_few_examples_to_judge_the_new_one() -> None:
    stream, lab = days("heat+ heat-", "heat+ heat+"), FakeLab()
    first = close(FineTune(), stream, 1)
    assert close(FineTune(), stream, 2, first, lab).hash == first.hash
    assert lab.notes == ["kept the old adapter: too few new examples to hold out any that judge the new one"]


def test_the_newest_period_must_be_stored() -> None:
    assert FineTune().stored(days("heat+ heat-", TEN).until(3)) == 10


@pytest.mark.parametrize("settings", [{"lr": 0.0}, {"lr": -1.0}, {"epochs": 0}, {"rate": 0.1}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        FineTune(**settings)
