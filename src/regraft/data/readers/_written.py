"""Times that are written out: ISO 8601 and its relatives, and any other form by its format.

Year, month, day in this order cannot be misread, so it is read whatever stands between them. Forms that can be
(13-09-2020, 9/13/2020) are read only where a format is given; `fitting` finds the formats that some texts have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

# Date; clock with or without seconds and fraction; offset (+02, +0200, +02:00) or a name of the zone 0.
ISO = (
    r"^\s*(\d{4})([-/.])(\d{1,2})[-/.](\d{1,2})(?:[T ]\s*(\d{1,2}:\d\d)(:\d\d)?(?:[.,](\d+))?)?"
    r"\s*(?:([+-])(\d\d)(?::?(\d\d))?|(?i:(UTC|GMT|Z)))?\s*$"
)
COMPACT = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}  # digits: format; no number of so many digits is a time since 1970
DATES = (
    "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%d-%b-%Y",
    "%d %B %Y", "%B %d, %Y", "%m %d, %Y", "%d-%m-%y", "%m-%d-%y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
)  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p", ", %H:%M:%S", ", %I:%M:%S %p")
WHOLE = (
    "%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S",
    "%a %b %d %Y %H:%M:%S GMT%z", "%a %b %d %H:%M:%S UTC %Y", "%d/%b/%Y:%H:%M:%S %z", "%Y-%m-%d %I:%M:%S %p", "%Y-%j",
    "%Y-%m-%d-%H.%M.%S", "%Y-%m-%d_%H:%M:%S", "%Y%m%d %H:%M:%S", "%Y%m%dT%H%M%SZ", "%Y%m%d%H%M",
)  # fmt: skip
CANDIDATES = (*(date + clock for date in DATES for clock in CLOCKS), *WHOLE)


def iso(times: pl.Series, zone: str) -> pl.Series:
    """Int64 milliseconds of texts that begin with year, month and day; wall-clock time in `zone` without an offset."""
    year, _, month, day, clock, seconds, fraction, sign, hours, minutes, named = (pl.col(str(n)) for n in range(1, 12))
    date = pl.concat_str(year, month.str.zfill(2), day.str.zfill(2), separator="-")
    text = date + " " + clock.fill_null("00:00").str.zfill(5) + seconds.fill_null(":00")
    wall = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False)
    local = wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    minutes_ahead = hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64).fill_null(0)
    offset = pl.when(sign == "-").then(-minutes_ahead).otherwise(minutes_ahead).fill_null(0) * 60_000
    fixed = sign.is_not_null() | named.is_not_null()
    fine = (("0." + fraction).cast(pl.Float64) * 1000).floor().cast(pl.Int64).fill_null(0)
    read = pl.when(fixed).then(wall.dt.epoch("ms") - offset).otherwise(local.dt.epoch("ms")) + fine
    return times.str.extract_groups(ISO).struct.unnest().select(read.alias(times.name)).to_series()


def compact(times: pl.Series, zone: str) -> pl.Series:
    """Int64 milliseconds of 20200913 and 20200913160813; null for everything else."""
    texts, read = times.str.strip_chars(), pl.Series([None], dtype=pl.Int64).new_from_index(0, len(times))
    for digits, form in COMPACT.items():
        some = texts.str.contains(rf"^(?:19|20)\d{{{digits - 2}}}$")
        read = by_format(pl.select(pl.when(some).then(texts)).to_series(), form, zone).zip_with(
            some.fill_null(False), read
        )
    return read


def by_format(times: pl.Series, form: str, zone: str) -> pl.Series:
    """Int64 milliseconds of texts in a strftime format; null for texts that do not have it."""
    read = times.str.strip_chars().str.to_datetime(form, time_unit="ms", strict=False)
    if not isinstance(read.dtype, pl.Datetime) or read.dtype.time_zone is None:
        read = read.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return read.dt.epoch("ms")


def fitting(texts: Sequence[str]) -> list[str]:
    """The formats that most of these texts have and that put them into plausible years, at most two.

    Two where day and month cannot be told apart.
    """
    times = pl.Series(texts, dtype=pl.String)
    counts = {}
    for form in CANDIDATES:
        year = by_format(times, form, "UTC").cast(pl.Datetime("ms")).dt.year()
        counts[form] = int(year.is_between(1990, 2100).sum())
    most = max(counts.values())
    return [form for form, count in counts.items() if count == most][:2] if 2 * most > len(texts) else []


def looks_like_time(text: str) -> bool:
    """Whether a date or a clock is written in it, in whatever form."""
    return bool(re.search(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d\d", text))
