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


def simulate(world: DriftWorld) -> World:
    """The log of `world` and its truth; the same settings give the same frames, bit for bit."""
    items, people = make_items(world), make_people(world)
    n_genres = items.genres.shape[1]
    season_genre = int(world.rng(SEASON).integers(n_genres - 1))
    appeal = make_appeal(world, n_genres, season_genre)
    wording = make_wording(world, items)
    before = people.taste.copy()
    popularity = np.zeros(world.items)
    batches: list[Visits] = []
    for period in range(1, world.periods + 1):
        if period == world.taste_change_at:
            change_tastes(world, people, period)
        today = live(world, period, people, items, appeal[period - 1], wording[period - 1], popularity)
        batches += today
        popularity *= 0.7
        for visits in today:
            popularity += np.bincount(visits.item[visits.click], minlength=world.items)
    return framed(world, items, people, batches, before)


def framed(
    world: DriftWorld, items: Items, people: People, batches: list[Visits], before: np.ndarray | None = None
) -> World:
    """The log of some visits and its truth; `before` are the tastes before anybody changed."""
    n_genres = items.genres.shape[1]
    season_genre = int(world.rng(SEASON).integers(n_genres - 1))
    interactions, rows = _frames(world, batches)
    truth = Truth(
        rows=rows,
        items=_item_truth(world, items),
        users=_user_truth(people),
        genres=LANGUAGES[world.language].genres,
        item_genres=items.genres,
        taste_before=people.taste if before is None else before,
        taste_after=people.taste,
        appeal=make_appeal(world, n_genres, season_genre),
        wording=make_wording(world, items),
        season_genre=season_genre,
    )
    return World(interactions, _item_table(world, items), truth)


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
