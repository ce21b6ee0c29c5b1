"""The world as a closed loop: what is shown moves what is clicked and who comes back."""

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
