from __future__ import annotations

from regraft.strategies.short_term import ShortTerm
from regraft.testing.fake_lab import FakeLab
from strategies.days import close, days, positions

STREAM = days("heat+ heat-", "heat+ heat+", "heat- heat- heat+")


def test_every_close_fits_the_newest_period_from_scratch() -> None:
    lab = FakeLab()
    first = close(ShortTerm(epochs=3), STREAM, 2, lab=lab)
    close(ShortTerm(epochs=3), STREAM, 3, first, lab)
    one, two = lab.asked("fit")
    assert one.view is not None and two.view is not None
    assert (positions(one.view, 1), positions(one.view, 2)) == ([], [0, 1])
    assert (positions(two.view, 2), positions(two.view, 3)) == ([], [0, 1, 2])
    assert [(call.asked["start"], call.asked["epochs"]) for call in (one, two)] == [(None, 3), (None, 3)]


def test_the_history_of_the_older_periods_stays_visible() -> None:
    lab = FakeLab()
    close(ShortTerm(), STREAM, 3, lab=lab)
    view = lab.asked("fit")[0].view
    assert view is not None
    assert len(view.time) == 7


def test_the_newest_period_must_be_stored() -> None:
    assert ShortTerm().stored(STREAM.until(4)) == 3
