"""Events of a post are taken in at once: what is served, and what is left after a restart, is as if they came alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from regraft.data import spool
from regraft.prompts.live import PER_PERSON
from regraft.release.blocked import block
from regraft.release.update import update
from regraft.serving.service import GoneError, Service
from regraft.setup.site import DAY
from site_world import FIRST, SiteWorld

PEOPLE = [*(f"u{number:03d}" for number in range(1, 41)), "stranger"]


@pytest.fixture
def noon(world: SiteWorld) -> int:
    day = pl.Series([world.days[FIRST]]).str.to_datetime(time_zone="UTC")
    return int(day.dt.epoch("ms")[0]) + DAY // 2


@pytest.fixture
def services(world: SiteWorld, noon: int) -> Iterator[list[Service]]:
    """Two servers of one site; neither hears of events of the other before it starts anew."""
    found = [Service(world.site, clock=lambda: noon) for _ in range(2)]
    yield found
    for service in found:
        service.stop()


def done(world: SiteWorld, noon: int) -> list[dict[str, object]]:
    """What people did, in the order of time; one of them more than the cap allows, some of it twice."""
    rng, items = np.random.default_rng(0), world.items["item_id"].to_list()
    who = [*rng.choice(PEOPLE, 150).tolist(), *["u001"] * (PER_PERSON + 8)]
    what = [*rng.choice(items, 150).tolist(), *items[: PER_PERSON + 8]]
    order = rng.permutation(len(who)).tolist()
    return [
        {
            "user_id": who[k], "item_id": what[k], "event": ("click", "skip")[k % 2], "time": noon + place,
            "event_id": f"{place:04d}",
        }
        for place, k in enumerate(order)
    ]  # fmt: skip


def uid(service: Service, user: str) -> str:
    return service._who(user, service._at.data)[1]


def scores(service: Service, world: SiteWorld, at: int) -> dict[str, list[float]]:
    items = world.items["item_id"].to_list()
    return {user: service.score(user, items, at)[1].tolist() for user in PEOPLE}


def test_scores_after_a_post_are_those_after_posts_of_one_event_and_those_after_a_restart(
    world: SiteWorld, services: list[Service], noon: int
) -> None:
    one_by_one, at_once = services
    events, at = done(world, noon), noon + 60_000
    before = scores(at_once, world, at)
    assert sum(one_by_one.take([event]) for event in events) == at_once.take(events) == len(events)
    after = scores(at_once, world, at)
    assert after == scores(one_by_one, world, at) != before
    assert at_once.recommend("u001", 10, at).items == one_by_one.recommend("u001", 10, at).items
    anew = Service(world.site)
    assert scores(anew, world, at) == after
    anew.stop()


def test_scores_after_events_out_of_the_order_of_time_and_a_late_one_are_those_after_a_restart(
    world: SiteWorld, services: list[Service], noon: int
) -> None:
    service, at = services[0], noon + 60_000
    events = done(world, noon)
    mixed = [events[k] for k in np.random.default_rng(1).permutation(len(events))]
    new = next(item for item in world.items["item_id"] if item not in service.live.seen(uid(service, "u003")))
    late = {"user_id": "u003", "item_id": new, "event": "skip", "time": noon - DAY}
    service.take([late, *mixed[:100]])
    again = Service(world.site, clock=lambda: noon)
    assert new in again.live.seen(uid(again, "u003"))
    assert scores(again, world, at) == scores(service, world, at)
    again.take(mixed[100:])
    anew = Service(world.site)
    assert scores(anew, world, at) == scores(again, world, at)
    for one in (again, anew):
        one.stop()


def test_of_the_events_of_a_closed_day_those_that_came_too_late_for_it_are_told(
    world: SiteWorld, services: list[Service], noon: int
) -> None:
    first, second = ({"user_id": "u001", "item_id": item, "event": "skip", "time": noon} for item in ("i00", "i01"))
    services[0].take([first])
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    services[0].take([second])  # into the segment that holds the other
    assert len(spool.segments(world.site.spool / "events")) == 1
    assert [row["item_id"] for row in world.site.spooled_events(noon + DAY // 2)] == ["i01"]


def test_a_post_with_one_event_of_somebody_who_is_being_erased_leaves_nothing(
    world: SiteWorld, services: list[Service], noon: int
) -> None:
    service, rows = services[0], services[0].live.facts.rows
    block(world.site, "u002")
    service.look()
    told = [{"user_id": user, "item_id": "i000", "event": "click", "time": noon} for user in ("u001", "u002")]
    with pytest.raises(GoneError):
        service.take(told)
    assert (spool.segments(world.site.spool / "events"), service.live.facts.rows) == ([], rows)
