"""Cutting one global time line into periods `[start, end)`.

Three ways: equal time, equal count, calendar. Rows of one instant never straddle a cut unless asked
for (a published layout does). The first `warm_up` share of the rows, or everything before a date, is
period 0: history and base training, never an example.

`Periods` says how to cut; `Cuts` are the cuts themselves, found once. What was cut stays cut: a log that grows
adds periods behind the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from regraft.data.regimes import duration
from regraft.errors import ConfigError, DataError

MOST = 10_000  # periods
EARLIEST = -(2**63)  # row id that stands before all others of an instant
By = Literal["time", "count", "calendar"]


class Periods(BaseModel):
    """How the time line is cut. `n` for time and count, `every` (1d, 1w, 1mo, 1q, 1y) for calendar."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: By = "time"
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

    def cuts(self, known_at: np.ndarray, row_id: np.ndarray) -> Cuts:
        """The cuts of a log whose rows became known at these times (ms, ascending)."""
        first = self._first_row(known_at)
        live = known_at[first:]
        if not len(live):
            raise DataError(
                "periods", f"no row at or after the start {self.start}", f"a start before {_day(known_at[-1])}"
            )
        if self.by == "count":
            starts = tuple(_behind(known_at, row_id, first + int(b), self.straddle) for b in self._by_count(live))
            if self.start is not None:
                starts = (self._start_key, *starts[1:])
            size = len(live) // self.n
            return Cuts(self.by, starts, int(live[-1]) + 1, size=size, straddle=self.straddle, filled=size)
        if self.by == "time":
            # Rounded up, so that the last row lies inside the last period.
            width = -(-(int(live[-1]) + 1 - int(live[0])) // self.n)
            edges = int(live[0]) + width * np.arange(self.n + 1)
            return Cuts(self.by, _whole(edges[:-1]), int(edges[-1]), size=width)
        edges = calendar(int(live[0]), int(live[-1]), self.every)
        if first:  # rows of the warm-up in the first unit stay in the warm-up
            edges = np.concatenate([live[:1], edges[1:]])
        return Cuts(self.by, _whole(edges[:-1]), int(edges[-1]), every=self.every)

    def cut(self, time: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """(period per row, cuts in ms) for ascending times; every row at or after the start gets a period."""
        rows = np.arange(len(time))
        found = self.cuts(time, rows)
        return found.of_rows(time, rows), found.times

    def _first_row(self, time: np.ndarray) -> int:
        if self.start is not None:
            return int(np.searchsorted(time, self._start_key[0]))
        row = int(self.warm_up * len(time))
        return int(np.searchsorted(time, time[row])) if len(time) and not self.straddle else row

    @property
    def _start_key(self) -> tuple[int, int]:
        assert self.start is not None
        start = self.start if self.start.tzinfo else self.start.replace(tzinfo=UTC)
        return int(start.timestamp() * 1000), EARLIEST

    def _by_count(self, live: np.ndarray) -> np.ndarray:
        bounds = np.arange(self.n) * len(live) // self.n
        if not self.straddle:
            bounds = np.searchsorted(live, live[bounds])
        if len(np.unique(bounds)) < self.n:
            raise DataError(
                "periods",
                f"{len(live):,} rows at {len(np.unique(live)):,} distinct times cannot fill {self.n} periods",
                "fewer periods",
            )
        return bounds


@dataclass(frozen=True)
class Cuts:
    """Where the periods of one log begin, and the rule by which growth adds more.

    `starts[p - 1]` is the first (ms, row id) of period p; `end` the exclusive end (ms) of the last one. `size` is
    the width of a period in ms (by time) or in rows (by count). Equal-count periods begin right behind the last row
    of the period before them, so that a cut names no row that comes after it; `filled` rows are in the last one.
    """

    by: By
    starts: tuple[tuple[int, int], ...]
    end: int
    size: int = 0
    every: str = ""
    straddle: bool = False
    filled: int = 0

    @property
    def times(self) -> tuple[int, ...]:
        """Start of every period in ms, and the exclusive end of the last one."""
        return (*(time for time, _ in self.starts), self.end)

    def grown(self, known_at: np.ndarray, row_id: np.ndarray) -> Cuts:
        """The same cuts, and as many more periods as the rows at or after the end fill or begin."""
        new = int(np.searchsorted(known_at, self.end))
        if new == len(known_at):
            return self
        last = int(known_at[-1])
        if self.by == "calendar":
            more = calendar(self.end, last, self.every)
        elif self.by == "time":
            more = self.end + self.size * np.arange((last - self.end) // self.size + 2)
        else:
            return self._more_by_count(known_at, row_id, new)
        _hold_most(len(self.starts) + len(more) - 1)
        return replace(self, starts=self.starts + _whole(more[:-1]), end=int(more[-1]))

    def of_rows(self, known_at: np.ndarray, row_id: np.ndarray) -> np.ndarray:
        """int32 period per row, rows in the order of (known_at, row_id)."""
        period = np.zeros(len(known_at), dtype=np.int32)
        for time, identifier in self.starts:
            row = int(np.searchsorted(known_at, time))
            if identifier != EARLIEST:
                row += int(np.searchsorted(row_id[row : int(np.searchsorted(known_at, time, "right"))], identifier))
            period[row:] += 1
        return period

    def known_at(self, time: np.ndarray, arrived: np.ndarray) -> np.ndarray:
        """int64 ms: when a row became known - its time, or for one that arrived after its period was closed the
        first cut at or after its arrival (its arrival, where no later cut stands yet).
        """
        cuts = np.asarray(self.times)
        closed_at = np.append(cuts, 2**62)[np.searchsorted(cuts, time, side="right")]
        at = np.searchsorted(cuts, arrived)
        next_cut = np.where(at < len(cuts), cuts[np.minimum(at, len(cuts) - 1)], arrived)
        return np.where(arrived >= closed_at, next_cut, time)

    def _more_by_count(self, known_at: np.ndarray, row_id: np.ndarray, new: int) -> Cuts:
        """Rows from `new` on fill the last period, where it is not full, and then others."""
        bounds = np.arange(new + max(self.size - self.filled, 0), len(known_at), self.size)
        _hold_most(len(self.starts) + len(bounds))
        more = [_behind(known_at, row_id, int(b), self.straddle) for b in bounds]
        if len(bounds) and bounds[0] == new:  # the rows before it may be gone by now
            more[0] = (self.end, EARLIEST)
        filled = len(known_at) - int(bounds[-1]) if len(bounds) else self.filled + len(known_at) - new
        starts = tuple(dict.fromkeys((*self.starts, *more)))  # rows of one instant may fill a period and more
        return replace(self, starts=starts, end=int(known_at[-1]) + 1, filled=filled)

    # -- as JSON can hold it -------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_dict(cls, saved: Mapping[str, Any], where: str) -> Cuts:
        """What `as_dict` gave; DataError where it is something else."""
        try:
            return cls(**{**saved, "starts": tuple((int(time), int(row)) for time, row in saved["starts"])})
        except (TypeError, ValueError, KeyError) as error:
            raise DataError(where, f"holds no cuts: {error}", "what regraft wrote there") from error


def calendar(first: int, last: int, every: str) -> np.ndarray:
    """Edges in ms, a calendar unit apart: from the one at or before `first` to the one after `last`."""
    ends = [pl.from_epoch(pl.Series([time]), "ms").dt.replace_time_zone("UTC") for time in (first, last)]
    try:
        start, second = ends[0].dt.truncate(every)[0], ends[0].dt.truncate(every).dt.offset_by(every)[0]
        width = (second - start).total_seconds() * 1000
        if width <= 0:
            raise ConfigError(f"periods.every '{every}'", "is no time at all", "e.g. 1d, 1w, 1mo, 1q, 1y")
        _hold_most(int((last - first) / width), f"periods.every '{every}'")
        end = ends[1].dt.offset_by(every)[0]
        edges = pl.datetime_range(start, end, every, eager=True, closed="both")
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"periods.every '{every}'", str(error).splitlines()[0], "e.g. 1d, 1w, 1mo, 1q, 1y") from error
    values = edges.dt.epoch("ms").to_numpy()
    return values[: int(np.searchsorted(values, last, side="right")) + 1]


def _behind(known_at: np.ndarray, row_id: np.ndarray, row: int, straddle: bool) -> tuple[int, int]:
    """Start of a period whose first row is `row` or, where instants are kept whole, the first of its instant."""
    if not straddle:
        row = int(np.searchsorted(known_at, known_at[row]))
    if not row:
        return int(known_at[0]), EARLIEST
    if known_at[row - 1] == known_at[row]:
        return int(known_at[row - 1]), int(row_id[row - 1]) + 1
    return int(known_at[row - 1]) + 1, EARLIEST


def _whole(edges: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Starts that rows of one instant cannot straddle."""
    return tuple((int(edge), EARLIEST) for edge in edges)


def _hold_most(n: int, where: str = "periods") -> None:
    if n > MOST:
        raise ConfigError(where, f"gives about {n:,} periods", f"at most {MOST:,}: a longer `every`, or fewer `n`")


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()
