"""The settings of a drift world, its clock and its random streams."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from regraft.data.drift_world_text import LANGUAGES
from regraft.errors import ConfigError

START = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000)  # a Monday; ms
DAY = 86_400_000  # ms

# Random streams, one per purpose: what happens from some period on cannot change what was drawn before it.
RELEASES, TITLES, PEOPLE, APPEALS, SEASON, CHANGE, PERIOD, WORDS, BAIT = range(9)

NUMBERS: dict[str, tuple[type, float, float]] = {  # kind, lowest, highest
    "users": (Integral, 1, math.inf),
    "items": (Integral, 1, math.inf),
    "periods": (Integral, 1, math.inf),
    "seed": (Integral, 0, math.inf),
    "days_per_period": (Real, 0.05, math.inf),  # a long visit must fit
    "taste_change_at": (Integral, 1, math.inf),
    "changed_share": (Real, 0, 1),
    "new_items_at": (Integral, 1, math.inf),
    "season_every": (Integral, 1, math.inf),
    "churn": (Real, 0, 1),
    "visits": (Real, 0, math.inf),
    "impressions": (Integral, 1, 64),
    "taste": (Real, 0, math.inf),
    "whims": (Real, 0, math.inf),
    "words": (Real, 0, math.inf),
    "from_start": (Real, 0, 1),
    "shelf_life": (Real, 0.05, math.inf),
    "bait": (Real, 0, 1),
}
NEVER = ("taste_change_at", "new_items_at", "season_every", "shelf_life")  # may be None


@dataclass(frozen=True)
class DriftWorld:
    """The settings of a world; a wrong one is a ConfigError.

    Periods count from 1. A change in a period that the world never reaches does not happen, None is never.
    The language changes the words of items and nothing else.
    Memory grows with users x items (one byte each).
    """

    users: int = 2000  # all who ever join; 55 % are there from period 1
    items: int = 500  # all that are ever released
    periods: int = 8
    seed: int = 0
    days_per_period: float = 1.0
    taste_change_at: int | None = 5
    changed_share: float = 0.4  # of the users who joined earlier and are still there
    new_items_at: int | None = 6  # 15 % of the items, in a genre of their own
    season_every: int | None = 4  # one genre is boosted in the last but one of every so many periods
    churn: float = 0.06  # chance that a user whose visits are as usual leaves at the end of a period
    visits: float = 1.1  # mean per user and period
    impressions: int = 8  # items shown per visit, fewer while fewer are released
    taste: float = 1.2  # strength of a user's taste for genres, log-odds
    whims: float = 2.0  # strength of a passing interest in a genre, log-odds
    words: float = 0.0  # what everybody thinks of a title's adjective, log-odds; turns at taste_change_at
    from_start: float = 0.6  # share of the items that are there from the start
    shelf_life: float | None = None  # periods after its release in which an item is shown
    bait: float = 0.0  # share of the items that promise more than they hold: clicked more, and regretted
    language: Literal["en", "ja"] = "en"

    def __post_init__(self) -> None:
        for name, (kind, least, most) in NUMBERS.items():
            value = getattr(self, name)
            if value is None and name in NEVER:
                continue
            right = isinstance(value, kind) and not isinstance(value, bool)  # to Python, True is an Integral
            if right and least <= value <= most and value < math.inf:
                continue
            limits = f"{least} or more" if most == math.inf else f"from {least} to {most}"
            never = ", or None for never" if name in NEVER else ""
            self._refuse(name, f"{'a whole number' if kind is Integral else 'a number'}, {limits}{never}")
        if self.language not in list(LANGUAGES):  # a list: what cannot be hashed is refused, too
            self._refuse("language", " or ".join(LANGUAGES))

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> DriftWorld:
        """From settings as a file or a command line gives them."""
        known = cls.__dataclass_fields__
        if unknown := [str(name) for name in settings if name not in known]:
            raise ConfigError("drift world", f"has no setting {', '.join(unknown)}", "some of " + ", ".join(known))
        return cls(**settings)

    def _refuse(self, name: str, expected: str) -> None:
        raise ConfigError(f"drift world: {name}", f"found {getattr(self, name)!r}", expected)

    @property
    def period_ms(self) -> int:
        """Length of a period, a whole number of seconds, in ms."""
        return round(self.days_per_period * DAY / 1000) * 1000

    @property
    def cuts(self) -> tuple[int, ...]:
        """Start of every period and the exclusive end of the last one; ms since 1970 UTC."""
        return tuple(START + period * self.period_ms for period in range(self.periods + 1))

    def rng(self, purpose: int, period: int = 0) -> np.random.Generator:
        """The random stream of one purpose (and period)."""
        return np.random.default_rng([purpose, period, self.seed])

    def in_season(self, period: int) -> bool:
        """Whether the seasonal genre is boosted in `period`."""
        every = self.season_every
        return every is not None and period % every == every - 1
