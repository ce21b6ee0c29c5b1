"""A drift world that goes on under another recommender: what is shown moves clicks, satisfaction and who returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from regraft.data.drift_world import Course, World
from regraft.data.drift_world_life import Items, Now, People, Visits, leave, plan_visits, visit
from regraft.data.drift_world_settings import PERIOD, START, DriftWorld

# (users [visits], when they look [visits], ms since 1970 UTC) -> item codes [visits, slots], in the order shown
Show = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Visit:
    """Somebody is there: `time` (ms since 1970 UTC) is when they look."""

    user_id: str
    time: int
    _loop: ClosedLoop
    _now: Now
    _user: int

    def see(self, items: Sequence[str]) -> list[bool]:
        """Shows the items, in this order; whether each is clicked. It moves the person's satisfaction."""
        if not items:
            return []
        codes = np.array([[self._loop.item_codes[item] for item in items]])
        seen = visit(self._now, np.array([self._user]), np.array([self.time - START]), codes)
        self._loop.seen.append(seen)
        clicked: list[bool] = seen.click.tolist()
        return clicked


class ClosedLoop:
    """The periods before `opens` are simulated as ever; from then on `day` gives visits, one after the other.

    `world.periods` counts all of them. All items should be there from the start (`from_start=1`), unless who shows
    them knows of their release.
    """

    def __init__(self, world: DriftWorld, opens: int) -> None:
        self.world, self.period, self._course = world, opens, Course(world)
        self.seen: list[Visits] = []  # of the day that is being lived
        past = [visits for period in range(1, opens) for visits in self._course.by_itself(period)]
        self.history: World = self._course.log(past)
        self.user_ids: list[str] = self.history.truth.users["user_id"].to_list()
        self.item_codes = {item: code for code, item in enumerate(self.history.items["item_id"])}

    @property
    def items(self) -> Items:
        return self._course.items

    @property
    def people(self) -> People:
        return self._course.people

    @property
    def satisfaction(self) -> pl.DataFrame:
        """user_id, satisfaction (share of clicks in recent visits), left (first period without them, or 0)."""
        return pl.DataFrame(
            {"user_id": self.user_ids, "satisfaction": self.people.satisfaction, "left": self.people.left}
        )

    def day(self) -> Iterator[Visit]:
        """The visits of the next period in the order of time; what is shown in one is known in the next."""
        if self.period > self.world.periods:
            return
        now, count, begins = self._open()
        who = np.repeat(np.arange(len(count)), count)
        turn = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
        begin = begins[who, turn]
        for k in np.lexsort((who, begin)).tolist():
            yield Visit(self.user_ids[who[k]], START + int(begin[k]), self, now, int(who[k]))
        self._close(now)

    def step(self, show: Show) -> Visits:
        """The next period at once, thousands of visits a second: everybody's first visit, then second ones and so on.

        `show` decides what is shown in all visits of a turn; users and items are places in `user_ids` and `items`.
        """
        now, count, begins = self._open()
        for turn in range(begins.shape[1]):
            who = np.flatnonzero(count > turn)
            begin = begins[who, turn]
            self.seen.append(visit(now, who, begin, show(who, START + begin)))
        seen = self._close(now)
        return Visits(*(np.concatenate([getattr(part, name) for part in seen]) for name in Visits.__annotations__))

    def _open(self) -> tuple[Now, np.ndarray, np.ndarray]:
        """The period begins: what holds in it, how often everybody visits, when each visit begins (since the start)."""
        course, row = self._course, self.period - 1
        course.turn(self.period)
        rng = self.world.rng(PERIOD, self.period)
        count, begins = plan_visits(self.world, self.period, self.people, rng)
        about = (course.appeal[row], course.wording[row], course.popularity)
        return Now(self.world, self.people, self.items, *about, rng), count, begins

    def _close(self, now: Now) -> list[Visits]:
        """The period ends: who leaves, what is popular; all that was seen in it."""
        leave(self.world, self.period, self.people, now.rng)
        self._course.remember(self.seen)
        seen, self.seen = self.seen, []
        self.period += 1
        return seen
