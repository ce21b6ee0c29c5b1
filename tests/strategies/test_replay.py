from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.fine_tune import FineTune
from regraft.strategies.replay import Replay
from regraft.testing.fake_lab import FakeLab
from strategies.days import close, days, positions

FOUR_DAYS = days("heat+ heat- " * 10, "heat+ up- " * 10, "heat+ up+ " * 10, "heat- up+ " * 10)
EVEN = days(*["heat+ heat- " * 100] * 5)  # 200 examples a day


def remembered(strategy: Replay, stream: Stream, seed: int, closes: Iterable[int]) -> np.ndarray:
    """Positions of the rows in the reservoir after the closes."""
    lab, blend = FakeLab(seed), None
    for period in closes:
        blend = close(strategy, stream, period, blend, lab)
    assert blend is not None
    return stream.positions(blend.state["reservoir.rows"])


def test_the_first_close_fits_all_that_is_there_and_remembers_it() -> None:
    lab = FakeLab()
    blend = close(Replay(), FOUR_DAYS, 2, lab=lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    assert (fit.view.fingerprint, fit.asked["start"]) == (FOUR_DAYS.until(3).fingerprint, None)
    assert blend.state["reservoir.rows"].tolist() == FOUR_DAYS.row_id[:40].tolist()


def test_a_later_close_fits_the_newest_period_and_a_share_of_the_memory_from_the_last_adapter() -> None:
    lab, strategy = FakeLab(), Replay(share=0.3, buffer=30)
    first = close(strategy, FOUR_DAYS, 2)
    close(strategy, FOUR_DAYS, 3, first, lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    recalled = fit.view.targets[fit.view.targets < 40]
    assert len(recalled) == 6  # 0.3 x 20
    assert np.isin(FOUR_DAYS.row_id[recalled], first.state["reservoir.rows"]).all()
    assert positions(fit.view, 3) == list(range(18))
    assert positions(fit.asked["stop"], 3) == [18, 19]
    assert fit.asked["start"] == first.single()


def test_without_a_share_it_asks_for_what_fine_tuning_asks_for() -> None:
    asked = []
    for strategy in (Replay(share=0.0, lr=0.01, epochs=3), FineTune(lr=0.01, epochs=3)):
        lab = FakeLab()
        close(strategy, FOUR_DAYS, 3, close(strategy, FOUR_DAYS, 2), lab)
        (fit,) = lab.asked("fit")
        assert fit.view is not None
        start, stop = fit.asked["start"], fit.asked["stop"]
        asked.append((fit.view.fingerprint, start.hash, stop.fingerprint, fit.asked["lr"], fit.asked["epochs"]))
    assert asked[0] == asked[1]


def test_a_share_above_what_is_remembered_recalls_all_of_it() -> None:
    lab, strategy = FakeLab(), Replay(share=5.0, buffer=7)
    close(strategy, FOUR_DAYS, 3, close(strategy, FOUR_DAYS, 2), lab)
    view = lab.asked("fit")[0].view
    assert view is not None
    assert len(view) == 7 + 18


def test_the_guard_keeps_the_old_adapter_but_remembers_the_new_examples() -> None:
    turned = days("heat+ heat+ heat+ heat-", "heat- " * 9 + "heat+")
    first, lab = close(Replay(share=0.0), turned, 1), FakeLab()
    second = close(Replay(share=0.0), turned, 2, first, lab)
    assert second.single() == first.single()
    assert lab.notes == ["kept the old adapter: log-loss 1.1744 on 1 held-out rows, before 0.4055"]
    assert len(second.state["reservoir.rows"]) == 14


@pytest.mark.parametrize("how", ["uniform", "recency", "user-balanced"])
def test_the_memory_never_holds_more_than_its_bound_and_every_row_once(how: str) -> None:
    rows = remembered(Replay(buffer=25, how=how), EVEN, 0, range(1, 6))  # type: ignore[arg-type]
    assert len(rows) == len(set(rows.tolist())) == 25
    assert rows.tolist() == sorted(rows)


def test_uniform_memory_holds_every_period_alike() -> None:
    counts = sum(
        np.bincount(EVEN.period[remembered(Replay(buffer=100), EVEN, seed, range(1, 6))], minlength=6)[1:]
        for seed in range(60)
    )
    # 1,200 each; one standard deviation is about 29.
    assert np.abs(counts - 1200).max() < 4 * 29


def test_recency_memory_halves_with_every_half_life() -> None:
    strategy = Replay(buffer=10, how="recency", half_life=1.0)
    counts = sum(
        np.bincount(EVEN.period[remembered(strategy, EVEN, seed, range(1, 6))], minlength=6)[1:] for seed in range(150)
    )
    shares = counts / 1500
    # 10 of 1,000 rows are kept, so the shares are those of the weights 1, 2, 4, 8, 16.
    np.testing.assert_allclose(shares, np.array([1, 2, 4, 8, 16]) / 31, atol=4 * np.sqrt(0.25 / 1500))


def test_a_longer_half_life_forgets_more_slowly() -> None:
    strategy = Replay(buffer=10, how="recency", half_life=2.0)
    counts = sum(
        np.bincount(EVEN.period[remembered(strategy, EVEN, seed, range(1, 6))], minlength=6)[1:] for seed in range(150)
    )
    weights = 2.0 ** (np.arange(5) / 2)
    np.testing.assert_allclose(counts / 1500, weights / weights.sum(), atol=4 * np.sqrt(0.25 / 1500))


def test_user_balanced_memory_holds_every_user_alike_however_much_they_wrote() -> None:
    stream = days("ann:heat+ ann:heat- " * 90 + "bob:heat+ " * 10 + "cat:heat- " * 10)
    strategy = Replay(buffer=3, how="user-balanced")
    counts = np.zeros(3)
    for seed in range(150):
        counts += np.bincount(stream.user[remembered(strategy, stream, seed, [1])], minlength=3)
    # Each is drawn with the same chance; a memory of 3 among 200 rows hardly exhausts anybody.
    np.testing.assert_allclose(counts / 450, 1 / 3, atol=0.08)


def test_rows_leave_the_memory_only_to_make_room_for_rows_with_larger_keys() -> None:
    strategy, lab = Replay(buffer=25), FakeLab()
    blend: Blend | None = None
    smallest = -np.inf
    for period in range(1, 6):
        blend = close(strategy, EVEN, period, blend, lab)
        assert blend.state["reservoir.keys"].min() >= smallest
        smallest = blend.state["reservoir.keys"].min()


def test_memory_and_newest_period_must_be_stored() -> None:
    past = FOUR_DAYS.until(4)
    assert Replay(buffer=5).stored(past) == 25
    assert Replay(buffer=1000).stored(past) == 60


@pytest.mark.parametrize(
    "settings", [{"share": -0.1}, {"buffer": 0}, {"how": "newest"}, {"half_life": 0.0}, {"lr": 0.0}, {"epochs": 0}]
)
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Replay(**settings)  # type: ignore[arg-type]
