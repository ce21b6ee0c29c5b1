"""The settings of a drift world, its clock and its random streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from regraft.data.drift_world_text import LANGUAGES
from regraft.errors import ConfigError

START = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000)  # a Monday; ms
DAY = 86_400_000  # ms

# Random streams, one per purpose: what happens from some period on cannot change what was drawn before it.
RELEASES, TITLES, PEOPLE, APPEALS, SEASON, CHANGE, PERIOD = range(7)

LOWEST = {
    "users": 1,
    "items": 1,
    "periods": 1,
    "seed": 0,
    "days_per_period": 0.05,  # a long visit must fit
    "changed_share": 0,
    "churn": 0,
    "visits": 0,
    "impressions": 1,
}


@dataclass(frozen=True)
class DriftWorld:
    """The settings of a world; a wrong one is a ConfigError.

    Periods count from 1. A change in a period that the world never reaches does not happen, None is never.
    The language changes the words of items and nothing else.
    Memory grows with users x items (one byte each).
    """

    users: int = 2000  # all who ever join; 55 % are there from period 1
    items: int = 500  # all that are ever released; 60 % are there from the start
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
    language: Literal["en", "ja"] = "en"

    def __post_init__(self) -> None:
        for name, least in LOWEST.items():
            if not getattr(self, name) >= least:
                self._refuse(name, f"{least} or more")
        for name in ("changed_share", "churn"):
            if getattr(self, name) > 1:
                self._refuse(name, "a share from 0 to 1")
        for name in ("taste_change_at", "new_items_at", "season_every"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                self._refuse(name, "1 or more, or None for never")
        if self.impressions > 64:
            self._refuse("impressions", "64 or fewer")
        if self.language not in LANGUAGES:
            self._refuse("language", " or ".join(LANGUAGES))

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
