from __future__ import annotations

from regraft.lm.blend import Blend
from regraft.strategies.never import Never
from regraft.testing.fake_lab import FakeLab
from strategies.days import close, days

STREAM = days("heat+ heat-", "heat+ heat+", "heat- heat-")


def test_the_first_close_fits_all_that_is_there_from_scratch() -> None:
    lab = FakeLab()
    blend = close(Never(), STREAM, 2, lab=lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    assert fit.view.fingerprint == STREAM.until(3).fingerprint
    assert fit.asked["start"] is None
    assert [weight for _, weight in blend.parts] == [1.0]


def test_a_later_close_fits_nothing_and_returns_the_blend_it_was_given() -> None:
    first, lab = close(Never(), STREAM, 2), FakeLab()
    assert close(Never(), STREAM, 3, first, lab) is first
    assert lab.calls == []


def test_bare_is_the_base_model_without_an_adapter() -> None:
    lab = FakeLab()
    assert close(Never(bare=True), STREAM, 2, lab=lab) == Blend.of(None)
    assert lab.calls == []


def test_nothing_needs_to_be_stored() -> None:
    assert Never().stored(STREAM.until(3)) == 0
