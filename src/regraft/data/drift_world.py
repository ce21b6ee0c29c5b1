"""The drift world: an interaction log made from known causes, for the demo and for known-answer tests.

Every row is one item shown to one user: `event` is "click" or "skip", so the label rule
`event == "click"` gives 1/0 and its mean is the click-through rate. What makes a click likely is
known for every row: the item's quality, the user's long-term taste for its genres, a short burst of
interest, the genre's appeal of the period, a season that returns. Some users change their taste at
a known time, a burst of new items brings a genre nobody has seen, users leave when recent visits
disappoint and others join. Titles are made of words that belong to genres, so that text tells.

The recommender inside the world shows popular items, items that fit what it has learnt of the
user so far, and some at random; it never shows an item before its release.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from regraft.data.drift_world_life import (
    Items,
    People,
    Visits,
    change_tastes,
    live,
    make_appeal,
    make_items,
    make_people,
    make_wording,
)
from regraft.data.drift_world_settings import DAY, SEASON, START, DriftWorld
from regraft.data.drift_world_text import LANGUAGES
from regraft.data.interactions import INTERACTIONS, TIME

__all__ = ["DriftWorld", "Truth", "World", "simulate"]


@dataclass(frozen=True)
class Truth:
    """What nobody can see in the log. Arrays over users or items follow the rows of `users` and `items`."""

    rows: pl.DataFrame  # one per interaction, same order: period (from 1), visit (a number), click_probability
    items: pl.DataFrame  # item_id, quality (log-odds), first_day (days since the start), first_period, burst
    users: pl.DataFrame  # user_id, and as periods: joined, left (first one without them), changed_at; or null
    genres: tuple[str, ...]  # the last one is the genre of the burst of new items
    item_genres: np.ndarray  # items x genres: how much of each genre an item is
    taste_before: np.ndarray  # users x genres, log-odds
    taste_after: np.ndarray  # users x genres; equal to taste_before for users who did not change
    appeal: np.ndarray  # periods x genres, log-odds: what everybody likes in a period, season included
    wording: np.ndarray  # periods x items, log-odds: what everybody thinks of an item's title in a period
    season_genre: int


@dataclass(frozen=True)
class World:
    """A simulated log with its truth; `interactions` has the canonical schema and is in time order."""

    interactions: pl.DataFrame
    items: pl.DataFrame  # item_id, title, genres ("Music, Horror"), maker
    truth: Truth


class Course:
    """A world as it goes on: its items, its people as they are now, and what everybody thinks in each period."""

    def __init__(self, world: DriftWorld) -> None:
        self.world, self.items, self.people = world, make_items(world), make_people(world)
        n_genres = self.items.genres.shape[1]
        self.season_genre = int(world.rng(SEASON).integers(n_genres - 1))
        self.appeal = make_appeal(world, n_genres, self.season_genre)
        self.wording = make_wording(world, self.items)
        self.popularity = np.zeros(world.items)
        self._before = self.people.taste.copy()

    def turn(self, period: int) -> None:
        """The period begins: in one of them tastes change."""
        if period == self.world.taste_change_at:
            change_tastes(self.world, self.people, period)

    def by_itself(self, period: int) -> list[Visits]:
        """One period under the world's own recommender."""
        self.turn(period)
        now = (self.appeal[period - 1], self.wording[period - 1], self.popularity)
        batches = live(self.world, period, self.people, self.items, *now)
        self.remember(batches)
        return batches

    def remember(self, batches: list[Visits]) -> None:
        """What was clicked makes items popular for a while."""
        self.popularity *= 0.7
        for visits in batches:
            self.popularity += np.bincount(visits.item[visits.click], minlength=self.world.items)

    def log(self, batches: list[Visits]) -> World:
        """The log of some visits and its truth."""
        interactions, rows = _frames(self.world, batches)
        truth = Truth(
            rows=rows,
            items=_item_truth(self.world, self.items),
            users=_user_truth(self.people),
            genres=LANGUAGES[self.world.language].genres,
            item_genres=self.items.genres,
            taste_before=self._before,
            taste_after=self.people.taste,
            appeal=self.appeal,
            wording=self.wording,
            season_genre=self.season_genre,
        )
        return World(interactions, _item_table(self.world, self.items), truth)


def simulate(world: DriftWorld) -> World:
    """The log of `world` and its truth; the same settings give the same frames, bit for bit."""
    course = Course(world)
    return course.log([visits for period in range(1, world.periods + 1) for visits in course.by_itself(period)])


def _ids(letter: str, n: int) -> list[str]:
    return [f"{letter}{k:0{len(str(n))}d}" for k in range(1, n + 1)]


def _frames(world: DriftWorld, batches: list[Visits]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The interactions in time order (ties in the order shown) and the truth of each row."""
    user, item, time, slot, probability, click = (
        np.concatenate([getattr(b, name) for b in batches])
        for name in ("user", "item", "time", "slot", "probability", "click")
    )
    visit = np.cumsum(slot == 0) - 1
    order = np.lexsort((slot, user, time))
    user, item, time, visit = user[order], item[order], time[order], visit[order]
    probability, click = probability[order], click[order]
    interactions = pl.DataFrame(
        {
            "user_id": pl.Series(_ids("u", world.users)).gather(user),
            "item_id": pl.Series(_ids("i", world.items)).gather(item),
            "timestamp": pl.Series(START + time).cast(TIME),
            "event": pl.Series(["skip", "click"]).gather(click.astype(np.int64)),
            "value": click.astype(np.float64),
            "line": np.arange(1, len(click) + 1),
        },
        schema=INTERACTIONS,
    )
    period = (time // world.period_ms + 1).astype(np.int32)
    return interactions, pl.DataFrame({"period": period, "visit": visit, "click_probability": probability})


def _item_table(world: DriftWorld, items: Items) -> pl.DataFrame:
    words = LANGUAGES[world.language]
    return pl.DataFrame(
        {
            "item_id": _ids("i", world.items),
            "title": words.titles(items.first, items.second, items.words),
            "genres": words.genre_text(items.first, items.second),
            "maker": [words.makers[m] for m in items.maker.tolist()],
        }
    )


def _item_truth(world: DriftWorld, items: Items) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item_id": _ids("i", world.items),
            "quality": items.quality,
            "first_day": items.released / DAY,
            "first_period": (items.released // world.period_ms + 1).astype(np.int32),
            "burst": items.burst,
        }
    )


def _user_truth(people: People) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "user_id": _ids("u", len(people.joined)),
            "joined": people.joined,
            "left": people.left,
            "changed_at": people.changed,
        }
    )
    return frame.with_columns(pl.when(pl.col(c) > 0).then(pl.col(c)) for c in ("left", "changed_at"))
