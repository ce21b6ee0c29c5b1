"""Reads times: numbers in a known or found unit, written times, or typed dates, all to UTC milliseconds.

Times are converted here and nowhere else. A time before 1990 or after tomorrow is not plausible. No number is
plausible in two units, so with the unit "auto" every row is judged by itself: a row that is not plausible in the
unit of most rows is read in the one in which it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from regraft.data.readers import _written
from regraft.errors import DataError

# Units of numeric times: their name, then milliseconds = number * multiply // divide.
UNITS = {
    "s": ("seconds", 1000, 1),
    "ms": ("milliseconds", 1, 1),
    "us": ("microseconds", 1, 1000),
    "ns": ("nanoseconds", 1, 1_000_000),
}
WRITTEN = {"iso": "ISO 8601 times", "compact": "dates of digits such as 20200913"}
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # an earlier time was read in a wrong unit, or stands for none
TOLERANCE = timedelta(days=1)  # a time zone may be off by that much, a time further on is wrong
SAMPLE = 1000  # rows that usually settle the unit
YEAR_ONE = -62_135_596_800_000  # milliseconds; earlier times cannot be shown as dates
FARTHEST = 9 * 10**18  # milliseconds; holds back numbers that would wrap around
SHOWN = "%Y-%m-%d %H:%M:%S"
FORMS = (
    "seconds, milliseconds, microseconds or nanoseconds since 1970, or written as 2020-09-13 16:08:13 "
    "(date alone, fraction, +02:00, UTC as well)"
)


@dataclass(frozen=True)
class Clock:
    """How the times of one log are to be read."""

    unit: str = "s"  # a key of UNITS, "iso", or "auto": the one that fits most rows, and each row by itself
    zone: str = "UTC"  # the zone of dates and written times that name none
    now: datetime | None = None  # the present, for tests; None is the real one
    form: str = ""  # a strftime format, tried before everything else
    each: bool = False  # rows that are not plausible in `unit` are tried in the others

    @property
    def latest(self) -> datetime:
        """What comes after it lies in the future."""
        return (self.now or datetime.now(UTC)) + TOLERANCE

    def milliseconds(self, times: pl.Series) -> pl.Series:
        """Int64 milliseconds since 1970 UTC; null for what is not a time. `unit` must not be "auto"."""
        return self.read(times)[0]

    def read(self, times: pl.Series) -> tuple[pl.Series, dict[str, int]]:
        """(milliseconds, rows by unit); null for what is not a time."""
        if isinstance(times.dtype, pl.Datetime) or times.dtype == pl.Date:
            return _shown(_dates(times, self.zone)), {}
        known = times if times.dtype.is_numeric() else times.cast(pl.String, strict=False)
        if self.form:
            read = _shown(_written.by_format(known.cast(pl.String), self.form, self.zone))
            return self._each(known, read) if self.each else (read, {})
        read = _shown(self._in(known, self.unit))
        return self._each(known, read) if self.each else (read, {})

    def settled(self, times: pl.Series, file: str, column: str = "timestamp") -> Clock | None:
        """The clock with its unit decided by some rows of the log; None where none of them is a time.

        Raises DataError where not one time lies between 1990 and now, and names the unit that would fit.
        """
        for some in (times.head(SAMPLE), times):
            clock = self._most_plausible(some) if self.unit == "auto" else self
            plausible, readable = clock._counts(some)
            if plausible:
                return clock
        if readable:
            raise _implausible(clock, times, file, column)
        return None

    def _each(self, times: pl.Series, read: pl.Series) -> tuple[pl.Series, dict[str, int]]:
        """Rows that are not plausible in the usual unit in the one in which they are."""
        right, usual = self._plausible(read), self.form or self.unit
        counts = {usual: int(right.sum())}
        for unit in (*UNITS, *WRITTEN):
            rest = (~right).arg_true()
            if unit == usual or not len(rest):
                continue
            tried = _shown(self._in(times.gather(rest), unit))
            good = self._plausible(tried)
            # A written time that is not plausible is told as such, not as "no time".
            better = good | (read.gather(rest).is_null() & tried.is_not_null() if unit in WRITTEN else False)
            if better.any():
                read = read.scatter(rest.filter(better), tried.filter(better))
                right = right.scatter(rest.filter(good), True)
                counts[unit] = int(good.sum())
        return read, {unit: count for unit, count in counts.items() if count}

    def _in(self, times: pl.Series, unit: str) -> pl.Series:
        if unit in UNITS:
            return _numbers(times, unit)
        text = times.cast(pl.String)
        return _written.iso(text, self.zone) if unit == "iso" else _written.compact(text, self.zone)

    def _most_plausible(self, times: pl.Series) -> Clock:
        """Most rows decide. Written times are slow to read, so they are tried only where numbers do not convince."""
        if self.form:
            return replace(self, unit="s", each=True)
        counts = {unit: replace(self, unit=unit)._counts(times) for unit in UNITS}
        if 2 * max(counts.values())[0] < len(times):
            counts |= {unit: replace(self, unit=unit)._counts(times) for unit in WRITTEN}
        return replace(self, unit=max(counts, key=counts.__getitem__), each=True)

    def _plausible(self, read: pl.Series) -> pl.Series:
        first, last = (int(when.timestamp() * 1000) for when in (EARLIEST, self.latest))
        return read.is_between(first, last).fill_null(False)

    def _counts(self, times: pl.Series) -> tuple[int, int]:
        """How many times lie between 1990 and now, as no number does in two units; and how many are times."""
        read = self.milliseconds(times)
        return int(self._plausible(read).sum()), len(read) - read.null_count()


def word(unit: str) -> str:
    """The name of a unit in a sentence."""
    return UNITS[unit][0] if unit in UNITS else WRITTEN.get(unit, f"the form {unit}")


def _shown(read: pl.Series) -> pl.Series:
    return read.set(read < YEAR_ONE, None)


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


def _dates(times: pl.Series, zone: str) -> pl.Series:
    """Typed dates; those without a zone are wall-clock time in `zone`."""
    stamps = times.cast(pl.Datetime("ms")) if times.dtype == pl.Date else times
    if isinstance(stamps.dtype, pl.Datetime) and stamps.dtype.time_zone is None:
        stamps = stamps.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return stamps.dt.epoch("ms")


def _implausible(clock: Clock, times: pl.Series, file: str, column: str) -> DataError:
    times = times.filter(clock.milliseconds(times).is_not_null())
    words = "dates" if times.dtype.is_temporal() or clock.form else word(clock.unit)
    found = f"no time lies between 1990 and now when read as {words}; the first in the column '{column}' is {times[0]}"
    since = words if clock.unit not in UNITS or words == "dates" else f"{words} since 1970-01-01 UTC"
    fitting = replace(clock, unit="auto", form="")._most_plausible(times)
    if times.dtype.is_temporal() or clock.form or not fitting._counts(times)[0]:
        return DataError(file, found, f"{since}; no other unit fits either", "Check which column holds the time.")
    first = fitting.milliseconds(times.head(1)).cast(pl.Datetime("ms", "UTC"))
    return DataError(
        file,
        found,
        f"{since}; these are likely {word(fitting.unit)}: {times[0]} would be {first.dt.strftime(SHOWN)[0]} UTC",
        f"Read the log with the mapping time_unit: {fitting.unit}, or convert its times.",
    )
