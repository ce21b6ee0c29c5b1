"""What happens in a drift world: items are released, people come, look, click, change and leave.

Everything is an array over users, items or visits; the state of the people changes in place, one
visit per user at a time, so that no visit knows anything of a later one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from regraft.data.drift_world_settings import (
    APPEALS,
    BAIT,
    CHANGE,
    PEOPLE,
    PERIOD,
    RELEASES,
    TITLES,
    WORDS,
    DriftWorld,
)
from regraft.data.drift_world_text import LANGUAGES, TitleWords

PAUSE = 45  # seconds at most between two items of a visit
TOGETHER = 0.3  # chance that an item appears in the same second as the one before it
CELLS = 4_000_000  # visits x items weighed at once; bounds the memory, not the result's distribution

# Strengths in log-odds (standard deviations where drawn). Chosen so that with the default settings the
# true probability ranks clicks with AUC 0.81 to 0.83, an item's click rate so far with 0.60 to 0.67.
BASE = -1.3
QUALITY, LEAN, APPEAL, TREND = 0.65, 0.4, 0.25, 0.15
BOOST, NEWCOMER, PULL = 1.0, 0.8, 2.5
BURST_PERIODS = 0.5  # a burst of interest fades to 1/e in half a period
USUAL = 0.35  # the click rate of a visit that neither pleases nor disappoints


@dataclass(frozen=True)
class Items:
    """All items that are ever released, in order of release."""

    first: np.ndarray  # main genre
    second: np.ndarray  # second genre, or the first again
    genres: np.ndarray  # items x genres
    words: TitleWords
    maker: np.ndarray
    quality: np.ndarray
    released: np.ndarray  # int64, ms since the start, ascending
    burst: np.ndarray  # bool
    leaves: np.ndarray  # float64, ms since the start: shown before this time only
    bait: np.ndarray  # bool: a click on it pleases nobody


@dataclass
class People:
    """Users as they are now; the arrays are changed in place, visit by visit."""

    joined: np.ndarray  # period
    left: np.ndarray  # first period without them; 0 = still there
    changed: np.ndarray  # period of the change of taste; 0 = none
    taste: np.ndarray  # users x genres
    known: np.ndarray  # users x genres: what the world's recommender believes of the taste
    lean: np.ndarray  # log-odds: how easily this user clicks
    pace: np.ndarray  # mean visits per period
    satisfaction: np.ndarray  # share of items that pleased in recent visits
    burst_genre: np.ndarray
    burst_time: np.ndarray  # float64, ms since the start; -inf = never
    clicked: np.ndarray  # users x items, bool


@dataclass(frozen=True)
class Visits:
    """Rows of one batch of visits, flat."""

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray  # int64, ms since the start
    slot: np.ndarray
    probability: np.ndarray
    click: np.ndarray


@dataclass(frozen=True)
class Now:
    """What holds during one period."""

    world: DriftWorld
    people: People
    items: Items
    appeal: np.ndarray  # per genre, log-odds
    wording: np.ndarray  # per item, log-odds: what everybody thinks of its title
    fame: np.ndarray  # per item: how much it is pushed for being popular or new
    rng: np.random.Generator


def make_items(world: DriftWorld) -> Items:
    """Items in order of release; those of the burst come early in their period, in the last genre."""
    rng, n, n_genres = world.rng(RELEASES), world.items, len(LANGUAGES[world.language].genres)
    end = world.periods * world.period_ms
    there = max(1, round(world.from_start * n))
    happens = world.new_items_at is not None and world.new_items_at <= world.periods
    n_burst = min(round(0.15 * n), n - there) if happens else 0
    released = np.zeros(n, dtype=np.int64)
    released[there:] = rng.integers(1, end, size=n - there)
    burst = np.arange(n) >= n - n_burst
    if world.new_items_at is not None:
        opening = (world.new_items_at - 1) * world.period_ms
        released[burst] = opening + rng.integers(0, world.period_ms // 4, size=n_burst)
    order = np.argsort(released, kind="stable")
    released, burst = released[order], burst[order]
    first = np.where(burst, n_genres - 1, rng.integers(n_genres - 1, size=n))
    second = np.where(rng.random(n) < 0.4, rng.integers(n_genres - 1, size=n), first)
    genres = np.zeros((n, n_genres))
    mixed = first != second
    genres[np.arange(n), second] = 0.6
    genres[np.arange(n), first] = np.where(mixed, 0.8, 1.0)
    n_makers = len(LANGUAGES[world.language].makers)
    at_home = np.arange(n_makers) % n_genres == first[:, None]
    maker = np.argmax(rng.random((n, n_makers)) + at_home * 0.9, axis=1)
    quality = QUALITY * (0.6 * rng.standard_normal(n_makers)[maker] + 0.8 * rng.standard_normal(n))
    words = LANGUAGES[world.language].draw(n, world.rng(TITLES))
    bait = world.rng(BAIT).random(n) < world.bait
    return Items(first, second, genres, words, maker, quality, released, burst, _leaves(world, released), bait)


def _leaves(world: DriftWorld, released: np.ndarray) -> np.ndarray:
    """float64, ms since the start: the end of an item's shelf life, and not before a visit's worth of newer items."""
    if world.shelf_life is None:
        return np.full(len(released), np.inf)
    leaves = released + world.shelf_life * world.period_ms
    newer = np.append(released[world.impressions :], np.full(min(world.impressions, len(released)), np.inf))
    return np.maximum(leaves, newer)


def make_people(world: DriftWorld) -> People:
    """Users in order of joining, each a mix of one of six archetypes and something of their own."""
    rng, n, n_genres = world.rng(PEOPLE), world.users, len(LANGUAGES[world.language].genres)
    joined = np.ones(n, dtype=np.int32)
    late = n - max(1, round(0.55 * n))
    if world.periods > 1 and late:
        joined[-late:] = np.sort(rng.integers(2, world.periods + 1, size=late))
    archetypes = rng.standard_normal((6, n_genres))
    archetypes -= archetypes.mean(axis=0)  # no genre is everybody's: what all like is the appeal
    own = rng.standard_normal((n, n_genres))
    return People(
        joined=joined,
        left=np.zeros(n, dtype=np.int32),
        changed=np.zeros(n, dtype=np.int32),
        taste=world.taste * (0.7 * archetypes[rng.integers(6, size=n)] + 0.7 * own),
        known=np.zeros((n, n_genres)),
        lean=LEAN * rng.standard_normal(n),
        pace=world.visits * rng.gamma(2.0, 0.5, size=n),
        satisfaction=np.full(n, USUAL),
        burst_genre=np.zeros(n, dtype=np.int64),
        burst_time=np.full(n, -np.inf),
        clicked=np.zeros((n, world.items), dtype=bool),
    )


def make_appeal(world: DriftWorld, n_genres: int, season_genre: int) -> np.ndarray:
    """periods x genres: a slow random walk, the season, and the appeal of what is new, which fades."""
    steps = world.rng(APPEALS).standard_normal((world.periods, n_genres))
    steps *= np.where(np.arange(world.periods) == 0, APPEAL, TREND)[:, None]
    appeal = np.cumsum(steps, axis=0)
    for row in range(world.periods):
        appeal[row, season_genre] += BOOST * world.in_season(row + 1)
        if world.new_items_at is not None and row + 1 >= world.new_items_at:
            appeal[row, -1] += NEWCOMER * 0.8 ** (row + 1 - world.new_items_at)
    return appeal


def make_wording(world: DriftWorld, items: Items) -> np.ndarray:
    """periods x items, log-odds: what everybody thinks of an item's adjective; at the change what was in is out."""
    words = LANGUAGES[world.language]
    rng, n_genres = world.rng(WORDS), len(words.genres)
    alike = rng.standard_normal((2, n_genres, 1))  # what the words of a genre share
    own = rng.standard_normal((2, n_genres, len(words.adjectives[0])))
    before, new = math.sqrt(0.5) * (alike + own)
    after = -0.8 * before + 0.6 * new
    changed = np.arange(1, world.periods + 1) >= (world.taste_change_at or math.inf)
    liking = np.where(changed[:, None, None], after, before)
    return world.words * liking[:, items.second, items.words.adjective]


def change_tastes(world: DriftWorld, people: People, period: int) -> None:
    """A share of those who joined before `period` turns away from its taste, partly to a common fashion."""
    rng = world.rng(CHANGE)
    drawn, own = rng.random(world.users), rng.standard_normal(people.taste.shape)
    fashion = rng.standard_normal(people.taste.shape[1])
    present = (people.joined < period) & (people.left == 0)
    who = present & (drawn < world.changed_share)
    new = -0.5 * people.taste + world.taste * (0.5 * fashion + 0.7 * own)
    people.taste = np.where(who[:, None], new, people.taste)
    people.changed[who] = period


def live(
    world: DriftWorld,
    period: int,
    people: People,
    items: Items,
    appeal: np.ndarray,
    wording: np.ndarray,
    popularity: np.ndarray,
) -> list[Visits]:
    """One period: everybody's first visit, then second visits and so on, then who leaves."""
    rng = world.rng(PERIOD, period)
    count, begins = plan_visits(world, period, people, rng)
    young = items.released > (period - 2) * world.period_ms  # pushed in the period of release and the next one
    fame = (popularity + max(1.0, float(popularity.mean())) * np.where(young, 2.0, 0.3)) ** 1.5
    now = Now(world, people, items, appeal, wording, fame, rng)
    batches = []
    step = max(1, CELLS // world.items)
    for turn in range(begins.shape[1]):
        visitors = np.flatnonzero(count > turn)
        for at in range(0, len(visitors), step):
            who = visitors[at : at + step]
            batches.append(visit(now, who, begins[who, turn]))
    seen = count > 0
    people.known[seen] += 0.5 * (people.taste[seen] - people.known[seen])
    leave(world, period, people, rng)
    return batches


def plan_visits(
    world: DriftWorld, period: int, people: People, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(visits of each user in the period, [users, most visits] when each begins: ms since the start, ascending)."""
    active = (people.joined <= period) & (people.left == 0)
    count = rng.poisson(people.pace)
    count = np.where(active, np.maximum(count, people.joined == period), 0)
    starts = rng.random((world.users, int(count.max(initial=0))))
    starts[np.arange(starts.shape[1]) >= count[:, None]] = np.inf
    starts.sort(axis=1)
    longest = PAUSE * 1000 * world.impressions  # ms; a visit ends in the period it begins in
    begins = np.where(np.isinf(starts), 0.0, starts) * (world.period_ms - longest)
    return count, (period - 1) * world.period_ms + begins.astype(np.int64) // 1000 * 1000


def leave(world: DriftWorld, period: int, people: People, rng: np.random.Generator) -> None:
    """At the end of a period: whoever was disappointed lately may stay away from the next one on."""
    active = (people.joined <= period) & (people.left == 0)
    leaves = rng.random(world.users) < world.churn * np.exp(-5.0 * (people.satisfaction - USUAL))
    if period < world.periods:
        people.left[active & leaves] = period + 1


def visit(now: Now, who: np.ndarray, begin: np.ndarray, shown: np.ndarray | None = None) -> Visits:
    """One visit of each user in `who`: what is shown, what is clicked, what it leaves behind.

    `shown` [visits, slots] are the items that somebody else shows; None: the world chooses them itself.
    """
    people, items, rng = now.people, now.items, now.rng
    fresh = rng.random(len(who)) < 0.35
    genre = rng.integers(items.genres.shape[1], size=len(who))
    people.burst_genre[who] = np.where(fresh, genre, people.burst_genre[who])
    people.burst_time[who] = np.where(fresh, begin, people.burst_time[who])
    burst = np.zeros((len(who), items.genres.shape[1]))
    age = (begin - people.burst_time[who]) / (BURST_PERIODS * now.world.period_ms)
    burst[np.arange(len(who)), people.burst_genre[who]] = now.world.whims * np.exp(-age)

    if shown is None:
        shown = _show(now, who, begin, now.appeal + 0.6 * burst)
    wish = people.taste[who] + now.appeal + burst
    fit = np.einsum("vsg,vg->vs", items.genres[shown], wish)
    worth = items.quality + now.wording + PULL * items.bait
    probability = expit(BASE + people.lean[who][:, None] + worth[shown] + fit)
    click = rng.random(shown.shape) < probability
    people.clicked[np.broadcast_to(who[:, None], shown.shape)[click], shown[click]] = True
    people.satisfaction[who] += 0.4 * ((click & ~items.bait[shown]).mean(axis=1) - people.satisfaction[who])

    slot = np.arange(shown.shape[1])
    pauses = rng.integers(3, PAUSE + 1, size=shown.shape) * 1000 * (rng.random(shown.shape) >= TOGETHER)
    pauses[:, 0] = 0
    time = begin[:, None] + np.cumsum(pauses, axis=1)
    flat_user, flat_slot = np.repeat(who, len(slot)), np.tile(slot, len(who))
    return Visits(flat_user, shown.ravel(), time.ravel(), flat_slot, probability.ravel(), click.ravel())


def _show(now: Now, who: np.ndarray, begin: np.ndarray, wish: np.ndarray) -> np.ndarray:
    """visits x slots: different items, drawn from a mixture of popular, fitting and any.

    Weighted draws without replacement: the smallest of exponential times divided by weights. What a
    user has clicked comes again only when nothing else is left.
    """
    people, items = now.people, now.items
    out = (items.released <= begin[:, None]) & (begin[:, None] < items.leaves)
    fits = np.exp((people.known[who] + wish) @ items.genres.T) * out
    famous = now.fame * out
    weight = 0.45 * famous / famous.sum(axis=1, keepdims=True) + 0.4 * fits / fits.sum(axis=1, keepdims=True)
    weight += 0.15 / out.sum(axis=1, keepdims=True)
    weight *= np.where(people.clicked[who], 1e-9, 1.0)
    when = np.where(out, now.rng.standard_exponential(out.shape, dtype=np.float32) / weight, np.inf)
    slots = min(now.world.impressions, int(out.sum(axis=1).min()))
    nearest = np.argpartition(when, slots - 1, axis=1)[:, :slots]
    order = np.argsort(np.take_along_axis(when, nearest, axis=1), axis=1)
    return np.take_along_axis(nearest, order, axis=1)
