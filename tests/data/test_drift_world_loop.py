"""The world as a closed loop: what is shown moves what is clicked and who comes back."""

from dataclasses import replace

import numpy as np
import pytest

from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.drift_world_loop import ClosedLoop

WORLD = DriftWorld(users=400, items=80, periods=16, seed=3, taste_change_at=None, from_start=1.0)
OPENS = 5


def test_the_past_is_that_of_the_simulated_world() -> None:
    loop, whole = ClosedLoop(WORLD, OPENS), simulate(WORLD)
    own = loop.history.interactions
    assert own.drop("line").equals(whole.interactions.head(len(own)).drop("line"))
    assert loop.history.items.equals(whole.items)


def test_the_same_lists_give_the_same_days() -> None:
    def days() -> list[tuple[str, int, tuple[bool, ...]]]:
        loop, found = ClosedLoop(WORLD, OPENS), []
        for _ in range(2):
            found += [(v.user_id, v.time, tuple(v.see(list(loop.item_codes)[:4]))) for v in loop.day()]
        return found

    one = days()
    assert one == days()
    assert [time for _, time, _ in one] == sorted(time for _, time, _ in one)


@pytest.fixture(scope="module")
def lived() -> dict[str, tuple[float, int]]:
    """(click rate, people still there) after ten days of the best and of the worst lists there are."""
    found = {}
    for name, sign in (("best", 1.0), ("worst", -1.0)):
        loop, clicks = ClosedLoop(WORLD, OPENS), []
        names = list(loop.item_codes)
        for _ in range(10):
            for visit in loop.day():
                user = loop.user_ids.index(visit.user_id)
                worth = sign * (loop.items.quality + loop.items.genres @ loop.people.taste[user])
                clicks += visit.see([names[k] for k in np.argsort(-worth)[:6]])
        found[name] = float(np.mean(clicks)), int((loop.people.left == 0).sum())
    return found


def test_what_fits_is_clicked_and_people_who_are_pleased_return(lived: dict[str, tuple[float, int]]) -> None:
    assert lived["best"][0] > lived["worst"][0] + 0.2
    assert lived["best"][1] > lived["worst"][1] + 20


def test_a_period_at_once_shows_everybody_what_was_asked_for_and_moves_who_returns() -> None:
    lived = {}
    for name, sign in (("best", 1.0), ("worst", -1.0)):
        loop, clicks = ClosedLoop(WORLD, OPENS), []

        def show(who: np.ndarray, begin: np.ndarray, loop: ClosedLoop = loop, sign: float = sign) -> np.ndarray:
            worth = loop.items.quality + loop.people.taste[who] @ loop.items.genres.T
            return np.argsort(-sign * worth, axis=1)[:, :6]

        for _ in range(10):
            seen = loop.step(show)
            assert (np.bincount(seen.slot, minlength=6) == len(seen.slot) / 6).all()
            clicks += seen.click.tolist()
        lived[name] = np.mean(clicks), (loop.people.left == 0).sum()
    assert lived["best"][0] > lived["worst"][0] + 0.2
    assert lived["best"][1] > lived["worst"][1] + 20


def test_bait_is_clicked_more_and_drives_people_away() -> None:
    lived = {}
    for name, sign in (("bait", 1.0), ("honest", -1.0)):
        loop, clicks = ClosedLoop(replace(WORLD, bait=0.2), OPENS), []
        order = np.argsort(-sign * loop.items.bait, kind="stable")[:8]
        for _ in range(10):
            clicks += loop.step(lambda who, begin, order=order: np.tile(order, (len(who), 1))).click.tolist()
        lived[name] = np.mean(clicks), (loop.people.left == 0).sum()
    assert lived["bait"][0] > lived["honest"][0] + 0.1
    assert lived["bait"][1] < lived["honest"][1] - 20


def test_without_bait_the_world_is_the_one_it_was() -> None:
    plain, some = simulate(WORLD), simulate(replace(WORLD, bait=0.2))
    assert not ClosedLoop(WORLD, OPENS).items.bait.any()
    assert plain.items.equals(some.items)
    assert plain.truth.items.equals(some.truth.items)
