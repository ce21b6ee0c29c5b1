"""Reads times: numbers in a known or guessed unit, ISO 8601 text, or typed dates, all to UTC milliseconds.

Times are converted here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from regraft.errors import DataError

# Units of numeric times: their name, then milliseconds = number * multiply // divide.
UNITS = {
    "s": ("seconds", 1000, 1),
    "ms": ("milliseconds", 1, 1),
    "us": ("microseconds", 1, 1000),
    "ns": ("nanoseconds", 1, 1_000_000),
}
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # a whole log before it was read in a wrong unit
TOLERANCE = timedelta(days=1)  # a time zone may be off by that much, a time further on is wrong
SAMPLE = 1000  # rows that usually settle the unit
YEAR_ONE = -62_135_596_800_000  # milliseconds; earlier times cannot be shown as dates
FARTHEST = 9 * 10**18  # milliseconds; holds back numbers that would wrap around
SHOWN = "%Y-%m-%d %H:%M:%S"
ISO = r"^\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?)?\s*(?:([+-])(\d\d):?(\d\d)|([Zz]))?\s*$"


@dataclass(frozen=True)
class Clock:
    """How the times of one log are to be read."""

    unit: str = "s"  # a key of UNITS, "iso", or "auto": the one that fits the first rows
    zone: str = "UTC"  # the zone of dates and ISO times that name none
    now: datetime | None = None  # the present, for tests; None is the real one

    @property
    def latest(self) -> datetime:
        """What comes after it lies in the future."""
        return (self.now or datetime.now(UTC)) + TOLERANCE

    def milliseconds(self, times: pl.Series) -> pl.Series:
        """Int64 milliseconds since 1970 UTC; null for what is not a time. `unit` must not be "auto"."""
        if isinstance(times.dtype, pl.Datetime) or times.dtype == pl.Date:
            read = _dates(times, self.zone)
        else:
            known = times if times.dtype.is_numeric() else times.cast(pl.String, strict=False)
            read = _iso(known.cast(pl.String), self.zone) if self.unit == "iso" else _numbers(known, self.unit)
        return read.set(read < YEAR_ONE, None)

    def settled(self, times: pl.Series, file: str) -> Clock | None:
        """The clock with its unit decided by some rows of the log; None where none of them is a time.

        Raises DataError where not one time lies between 1980 and now, and names the unit that would fit.
        """
        for some in (times.head(SAMPLE), times):
            clock = self._most_plausible(some) if self.unit == "auto" else self
            plausible, readable = clock._counts(some)
            if plausible:
                return clock
        if readable:
            raise _implausible(clock, times, file)
        return None

    def _most_plausible(self, times: pl.Series) -> Clock:
        """Most rows decide. The ISO pattern is slow, so it is tried only where numbers do not convince."""
        counts = {unit: replace(self, unit=unit)._counts(times) for unit in UNITS}
        if 2 * max(counts.values())[0] < len(times):
            counts["iso"] = replace(self, unit="iso")._counts(times)
        return replace(self, unit=max(counts, key=counts.__getitem__))

    def _counts(self, times: pl.Series) -> tuple[int, int]:
        """How many times lie between 1980 and now, as no number does in two units; and how many are times."""
        read = self.milliseconds(times).cast(pl.Datetime("ms", "UTC"))
        plausible = ((read >= EARLIEST) & (read <= self.latest)).sum()
        return int(plausible), len(read) - read.null_count()


def _numbers(times: pl.Series, unit: str) -> pl.Series:
    """Whole numbers exactly; others as floats, where some are left."""
    whole = times.cast(pl.Int64, strict=False) if not times.dtype.is_float() else times.clear(len(times))
    read = _scaled(whole, unit)
    if whole.null_count() == times.null_count():
        return read
    text = times.str.strip_chars() if times.dtype == pl.String else times
    floats = text.cast(pl.Float64, strict=False)
    return read.cast(pl.Int64).zip_with(read.is_not_null(), _scaled(floats, unit))


def _scaled(numbers: pl.Series, unit: str) -> pl.Series:
    _, multiply, divide = UNITS[unit]
    if numbers.dtype.is_float():
        scaled = (numbers * (multiply / divide)).round()
        return scaled.set(~scaled.is_finite(), None).clip(-FARTHEST, FARTHEST).cast(pl.Int64)
    limit = FARTHEST // multiply
    return numbers.cast(pl.Int64).clip(-limit, limit) * multiply // divide


def _iso(times: pl.Series, zone: str) -> pl.Series:
    """A date, or date and time with seconds, fraction and offset where they are given."""
    date, clock, seconds, fraction, sign, hours, minutes, zulu = (pl.col(str(n)) for n in range(1, 9))
    text = date + " " + clock.fill_null("00:00") + seconds.fill_null(":00")
    wall = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
    local = wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    minutes_ahead = (hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64)).fill_null(0)
    offset = pl.when(sign == "-").then(-minutes_ahead).otherwise(minutes_ahead) * 60_000
    named = sign.is_not_null() | zulu.is_not_null()
    fine = (("0." + fraction).cast(pl.Float64) * 1000).floor().cast(pl.Int64).fill_null(0)
    read = pl.when(named).then(wall.dt.epoch("ms") - offset).otherwise(local.dt.epoch("ms")) + fine
    return times.str.extract_groups(ISO).struct.unnest().select(read.alias(times.name)).to_series()


def _dates(times: pl.Series, zone: str) -> pl.Series:
    """Typed dates; those without a zone are wall-clock time in `zone`."""
    stamps = times.cast(pl.Datetime("ms")) if times.dtype == pl.Date else times
    if isinstance(stamps.dtype, pl.Datetime) and stamps.dtype.time_zone is None:
        stamps = stamps.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return stamps.dt.epoch("ms")


def _word(unit: str) -> str:
    return UNITS[unit][0] if unit in UNITS else "ISO 8601 times"


def _implausible(clock: Clock, times: pl.Series, file: str) -> DataError:
    times = times.filter(clock.milliseconds(times).is_not_null())
    word = "dates" if times.dtype.is_temporal() else _word(clock.unit)
    found = f"no time lies between 1980 and now when read as {word}; the first is {times[0]}"
    fitting = replace(clock, unit="auto")._most_plausible(times)
    if not fitting._counts(times)[0]:
        return DataError(
            file,
            found,
            f"{word} since 1970-01-01 UTC; no other unit fits either",
            "Check which column holds the time.",
        )
    first = fitting.milliseconds(times.head(1)).cast(pl.Datetime("ms", "UTC"))
    return DataError(
        file,
        found,
        f"{word} since 1970-01-01 UTC; these are likely {_word(fitting.unit)}: "
        f"{times[0]} would be {first.dt.strftime(SHOWN)[0]} UTC",
        f"Read the log with the mapping time_unit: {fitting.unit}, or convert its times.",
    )
