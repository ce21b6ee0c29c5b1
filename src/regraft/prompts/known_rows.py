"""How many leading rows of a growing log facts may use: those known at a time, and for items those since a refresh."""

from __future__ import annotations

import numpy as np

from regraft.data.asof import Grown
from regraft.data.regimes import UNITS, Regime
from regraft.errors import ConfigError, DataError

REFRESH = ("event", "day", "period")


class KnownRows:
    """When the rows taken so far became known, and which of them a question may use, as Regime.known says of a stream.

    `period` counts the periods closed; `opened` is the row at which the current one began.
    """

    def __init__(self, regime: Regime, refresh: str) -> None:
        if refresh not in REFRESH:
            raise ConfigError(f"facts.refresh '{refresh}'", "is unknown", "one of " + ", ".join(REFRESH))
        self.regime, self.refresh = regime, refresh
        self.known_at = Grown(np.zeros(0, dtype=np.int64))  # ms, ascending
        self.period = 0
        self.opened = 0

    @property
    def rows(self) -> int:
        """Rows taken."""
        return self.known_at.n

    def check(self, known_at: np.ndarray) -> None:
        """Raises DataError where rows to be taken (ms) do not ascend or do not follow the last one taken."""
        if (np.diff(np.concatenate([self.known_at.values[-1:], known_at])) < 0).any():
            raise DataError("events", "are not in time order", "times that ascend and follow the last event taken")

    def close_period(self) -> None:
        """Begins the next period: rows to come belong to it."""
        self.period += 1
        self.opened = self.rows

    def known(self, time: np.ndarray, row: np.ndarray) -> np.ndarray:
        """How many leading rows are known at each time (ms); `row`, how many stand above it, matters under `paper`."""
        if self.regime.name == "paper":
            return row
        if self.regime.name == "frozen" and self.period > 0:
            return np.full(len(time), self.opened)
        earlier = np.searchsorted(self.known_at.values, time, side="left")
        if self.regime.name == "delayed":
            return np.minimum(np.searchsorted(self.known_at.values, time - self.regime.delay, side="right"), earlier)
        return earlier

    def refreshed(self, time: np.ndarray, known: np.ndarray) -> np.ndarray:
        """How many of the `known` leading rows the numbers about items may use."""
        if self.refresh == "event":
            return known
        if self.refresh == "period" and self.period > 0:
            return np.minimum(known, self.opened)
        return np.minimum(known, np.searchsorted(self.known_at.values, time // UNITS["d"] * UNITS["d"]))
