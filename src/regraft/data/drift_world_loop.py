"""A drift world that goes on under another recommender: what is shown moves clicks, satisfaction and who returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from regraft.data.drift_world import World, framed
from regraft.data.drift_world_life import (
    Now,
    Visits,
    change_tastes,
    leave,
    live,
    make_appeal,
    make_items,
    make_people,
    make_wording,
    plan_visits,
    visit,
)
from regraft.data.drift_world_settings import PERIOD, SEASON, START, DriftWorld


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
        self.world, self.period = world, opens
        self.items, self.people = make_items(world), make_people(world)
        season = int(world.rng(SEASON).integers(self.items.genres.shape[1] - 1))
        self._appeal = make_appeal(world, self.items.genres.shape[1], season)
        self._wording = make_wording(world, self.items)
        self._popularity = np.zeros(world.items)
        self.seen: list[Visits] = []  # of the day that is being lived
        past: list[Visits] = []
        for period in range(1, opens):
            self._turn(period)
            now = live(
                world, period, self.people, self.items, self._appeal[period - 1], self._wording[period - 1],
                self._popularity,
            )  # fmt: skip
            past += now
            self._remember(now)
        self.history: World = framed(world, self.items, self.people, past)
        self.user_ids: list[str] = self.history.truth.users["user_id"].to_list()
        self.item_codes = {item: code for code, item in enumerate(self.history.items["item_id"])}

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
        self._turn(self.period)
        rng = self.world.rng(PERIOD, self.period)
        count, begins = plan_visits(self.world, self.period, self.people, rng)
        now = Now(
            self.world, self.people, self.items, self._appeal[self.period - 1], self._wording[self.period - 1],
            self._popularity, rng,
        )  # fmt: skip
        who = np.repeat(np.arange(len(count)), count)
        turn = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
        begin = begins[who, turn]
        for k in np.lexsort((who, begin)).tolist():
            yield Visit(self.user_ids[who[k]], START + int(begin[k]), self, now, int(who[k]))
        leave(self.world, self.period, self.people, rng)
        self._remember(self.seen)
        self.seen = []
        self.period += 1

    def _turn(self, period: int) -> None:
        if period == self.world.taste_change_at:
            change_tastes(self.world, self.people, period)

    def _remember(self, batches: list[Visits]) -> None:
        self._popularity *= 0.7
        for one in batches:
            self._popularity += np.bincount(one.item[one.click], minlength=self.world.items)
