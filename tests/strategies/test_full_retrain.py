from __future__ import annotations

import pytest
from pydantic import ValidationError

from regraft.strategies.full_retrain import FullRetrain
from regraft.testing.fake_lab import FakeLab
from strategies.days import close, days, positions

STREAM = days("heat+ heat-", "heat+ heat+", "heat- heat- heat+")


def test_every_close_fits_all_history_from_scratch() -> None:
    lab = FakeLab()
    first = close(FullRetrain(), STREAM, 2, lab=lab)
    close(FullRetrain(), STREAM, 3, first, lab)
    assert [call.view.fingerprint for call in lab.asked("fit") if call.view is not None] == [
        STREAM.until(3).fingerprint,
        STREAM.until(4).fingerprint,
    ]
    assert [call.asked["start"] for call in lab.asked("fit")] == [None, None]


def test_the_old_blend_leaves_no_trace() -> None:
    old = close(FullRetrain(), STREAM, 2)
    assert close(FullRetrain(), STREAM, 3, old).hash == close(FullRetrain(), STREAM, 3).hash


def test_a_window_fits_the_newest_periods_only() -> None:
    lab = FakeLab()
    close(FullRetrain(periods=2), STREAM, 3, lab=lab)
    view = lab.asked("fit")[0].view
    assert view is not None
    assert (positions(view, 1), positions(view, 2), positions(view, 3)) == ([], [0, 1], [0, 1, 2])


def test_what_is_fitted_must_be_stored() -> None:
    past = STREAM.until(4)
    assert FullRetrain().stored(past) == 7
    assert FullRetrain(periods=2).stored(past) == 5


def test_a_window_without_periods_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        FullRetrain(periods=0)
