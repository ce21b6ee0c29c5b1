"""What was known when: the one place that decides which earlier rows a row may use.

A regime turns every row into a number: how many leading rows of the global time line were known
at that row's time. Facts, baselines, prompts and serving all start from that number, so that they
can never disagree about the past.

    fresh    rows strictly earlier than the row's own time (rows of the same instant hide each other)
    delayed  rows at least `delay` older than the row (feedback that arrives late)
    frozen   rows before the row's period began
    paper    rows above it in time-and-file order, ties visible (for reproduction of published layouts)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regraft.errors import ConfigError

if TYPE_CHECKING:
    from regraft.data.stream import Stream

NAMES = ("fresh", "delayed", "frozen", "paper")
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@dataclass(frozen=True)
class Regime:
    """`name` is one of NAMES; `delay` (ms) matters for `delayed` only."""

    name: str = "fresh"
    delay: int = 24 * UNITS["h"]

    @classmethod
    def parse(cls, text: str) -> Regime:
        """Reads "fresh", "frozen", "paper", "delayed" (24 h) or "delayed 6h"."""
        name, _, delay = text.strip().partition(" ")
        if name not in NAMES or (delay and name != "delayed"):
            raise ConfigError(
                f"regime '{text}'",
                "is not a known information regime",
                "one of fresh, frozen, paper, delayed, or delayed with a time such as 'delayed 6h'",
            )
        return cls(name, duration(delay)) if delay else cls(name)

    def __str__(self) -> str:
        return self.name if self.name != "delayed" else f"delayed {self.delay / 1000:.3f}".rstrip("0").rstrip(".") + "s"

    def known(self, stream: Stream, rows: np.ndarray | None = None) -> np.ndarray:
        """int64 per row (all rows, or those given): rows [0, known) of the stream were known at its time."""
        mine: np.ndarray | slice = slice(None) if rows is None else rows
        time, period = stream.known_at[mine], stream.period[mine]
        if self.name == "paper":
            return np.arange(len(stream.known_at), dtype=np.int64) if rows is None else np.asarray(rows, dtype=np.int64)
        earlier = np.searchsorted(stream.known_at, time, side="left")
        if self.name == "delayed":
            return np.minimum(np.searchsorted(stream.known_at, time - self.delay, side="right"), earlier)
        if self.name == "frozen":
            # Warm-up rows belong to no period of their own: there the past is everything strictly earlier.
            return np.where(period == 0, earlier, np.searchsorted(stream.period, period))
        return earlier

    def known_at(self, times: np.ndarray, now: int, period_start: int | None = None) -> int:
        """How many leading events of one user (`times` ascending, ms) are known to a request at `now`.

        The request comes after every event of the same instant. `period_start` is the start of the period that `now`
        lies in; `frozen` needs it.
        """
        if self.name == "paper":
            return int(np.searchsorted(times, now, side="right"))
        if self.name == "frozen":
            if period_start is None:
                raise ConfigError("regime 'frozen'", "is asked without the start of the period", "its time in ms")
            now = min(now, period_start)
        earlier = int(np.searchsorted(times, now, side="left"))
        if self.name == "delayed":
            return min(int(np.searchsorted(times, now - self.delay, side="right")), earlier)
        return earlier


def duration(text: str) -> int:
    """Milliseconds in "90s", "15m", "24h", "7d" or "2w"."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text)
    if not match:
        raise ConfigError(f"duration '{text}'", "cannot be read", "a number and a unit, e.g. 90s, 15m, 24h, 7d, 2w")
    return int(float(match[1]) * UNITS[match[2]])
