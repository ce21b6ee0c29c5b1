"""Cutting one global time line into periods `[start, end)`.

Three ways: equal time, equal count, calendar. Rows of one instant never straddle a cut unless asked
for (a published layout does). The first `warm_up` share of the rows, or everything before a date, is
period 0: history and base training, never an example.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from regraft.data.regimes import duration
from regraft.errors import ConfigError, DataError

MOST = 10_000  # periods of one log
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Periods(BaseModel):
    """How the time line is cut. `n` for time and count, `every` (1d, 1w, 1mo, 1q, 1y) for calendar."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["time", "count", "calendar"] = "time"
    n: int = Field(20, ge=2, le=MOST)
    every: str = "1w"
    warm_up: float = Field(0.0, ge=0.0, lt=1.0, description="share of the rows before period 1")
    start: datetime | None = Field(None, description="period 1 begins here; overrides warm_up")
    gap: str = Field("0s", description="time between what an update may see and the period it is tested on")
    straddle: bool = Field(False, description="let rows of one instant fall on both sides of an equal-count cut")

    @model_validator(mode="after")
    def _readable(self) -> Periods:
        duration(self.gap)
        return self

    def cut(self, time: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """(period per row, cuts in ms) for ascending times; every row at or after the start gets a period."""
        first = self._first_row(time)
        live = time[first:]
        if not len(live):
            raise DataError("periods", f"no row at or after the start {self.start}", f"a start before {_day(time[-1])}")
        if self.by == "count":
            bounds, cuts = self._by_count(live)
        else:
            edges = self._edges(live)
            bounds, cuts = np.searchsorted(live, edges[:-1]), tuple(int(e) for e in edges)
        period = np.zeros(len(time), dtype=np.int32)
        period[first:] = np.searchsorted(bounds, np.arange(len(live)), side="right")
        return period, cuts

    def _first_row(self, time: np.ndarray) -> int:
        if self.start is not None:
            start = self.start if self.start.tzinfo else self.start.replace(tzinfo=UTC)
            return int(np.searchsorted(time, int(start.timestamp() * 1000)))
        row = int(self.warm_up * len(time))
        return int(np.searchsorted(time, time[row])) if len(time) and not self.straddle else row

    def _by_count(self, live: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        bounds = np.arange(self.n) * len(live) // self.n
        if not self.straddle:
            bounds = np.searchsorted(live, live[bounds])
        if len(np.unique(bounds)) < self.n:
            raise DataError(
                "periods",
                f"{len(live):,} rows at {len(np.unique(live)):,} distinct times cannot fill {self.n} periods",
                "fewer periods",
            )
        return bounds, (*(int(live[b]) for b in bounds), int(live[-1]) + 1)

    def _few_enough(self, live: np.ndarray) -> None:
        """ConfigError where a calendar step would cut the log into more than MOST periods; none is built for that."""
        where, epoch = f"periods.every '{self.every}'", pl.lit(EPOCH)
        try:
            step = pl.select(epoch.dt.offset_by(self.every).dt.epoch("ms") - epoch.dt.epoch("ms")).item()
        except pl.exceptions.PolarsError as error:
            raise ConfigError(where, str(error).splitlines()[0], "e.g. 1d, 1w, 1mo, 1q, 1y") from error
        if step <= 0:
            raise ConfigError(where, "is no time at all", "e.g. 1d, 1w, 1mo, 1q, 1y")
        if (wanted := (int(live[-1]) - int(live[0])) / step) > MOST:
            found = f"gives {wanted:,.0f} periods from {_day(live[0])} to {_day(live[-1])}"
            raise ConfigError(where, found, f"at most {MOST:,}, e.g. with 1d or 1w")

    def _edges(self, live: np.ndarray) -> np.ndarray:
        if self.by == "time":
            # Rounded up, so that the last row lies inside the last period.
            width = -(-(int(live[-1]) + 1 - int(live[0])) // self.n)
            return int(live[0]) + width * np.arange(self.n + 1)
        self._few_enough(live)
        first, last = (
            pl.from_epoch(pl.Series([int(t)]), "ms").dt.replace_time_zone("UTC") for t in (live[0], live[-1])
        )
        try:
            start = first.dt.truncate(self.every)[0]
            end = last.dt.offset_by(self.every)[0]
            edges = pl.datetime_range(start, end, self.every, eager=True, closed="both")
        except pl.exceptions.PolarsError as error:
            raise ConfigError(f"periods.every '{self.every}'", str(error), "e.g. 1d, 1w, 1mo, 1q, 1y") from error
        values = edges.dt.epoch("ms").to_numpy()
        return values[: int(np.searchsorted(values, live[-1], side="right")) + 1]


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()
