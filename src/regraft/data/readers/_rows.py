"""Turns fields into canonical rows; a row that does not hold travels on as data, with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from regraft.data.interactions import INTERACTIONS, TIME, Batch
from regraft.data.readers._clock import Clock
from regraft.data.readers.lines import Part, set_aside


def batches(parts: Iterable[Part], clock: Clock, mixed: bool = False) -> Iterator[Batch]:
    """Canonical batches of a log.

    Parts hold `user_id, item_id, timestamp`, and `value` or `event` where the log has them. Without `value`
    the log is implicit: every value is null. A missing value is a bad value, unless the log is `mixed`
    (some of its events have none). Raises DataError where the times were read in a wrong unit.
    """
    settled: Clock | None = None
    unsettled = replace(clock, unit="s") if clock.unit == "auto" else clock
    for part in parts:
        settled = settled or clock.settled(part.fields["timestamp"], part.file)
        yield _batch(part, settled or unsettled, mixed)


def _batch(part: Part, clock: Clock, mixed: bool) -> Batch:
    fields = part.fields
    times = clock.milliseconds(fields["timestamp"]).cast(TIME)
    value, bad_value = _values(fields, mixed)
    usual = "rating" if "value" in fields.columns else "interaction"
    event = _given(pl.col("event"), usual) if "event" in fields.columns else pl.lit(usual)
    reason = (
        pl.when(_blank(fields["user_id"]) | _blank(fields["item_id"]))
        .then(pl.lit("empty-id"))
        .when(pl.col("timestamp").is_null())
        .then(pl.lit("bad-time"))
        .when(bad_value)
        .then(pl.lit("bad-value"))
        .when(pl.col("timestamp") > clock.latest)
        .then(pl.lit("future"))
    )
    checked = fields.with_columns(times.alias("timestamp"), value, event.alias("event")).select(
        *INTERACTIONS, reason.alias("reason")
    )
    if checked["reason"].null_count() == checked.height:
        return Batch(checked.drop("reason"), part.rejected)
    bad = checked.filter(pl.col("reason").is_not_null())
    numbers = bad["line"].to_list()
    failed = set_aside(part.file, numbers, bad["reason"].to_list(), part.text(numbers))
    good = checked.filter(pl.col("reason").is_null()).drop("reason")
    return Batch(good, pl.concat([part.rejected, failed]).sort("line"))


def _values(fields: pl.DataFrame, mixed: bool) -> tuple[pl.Series, pl.Series]:
    """Values as Float64, and which of them are bad."""
    if "value" not in fields.columns:
        nothing = pl.repeat(None, fields.height, dtype=pl.Float64, eager=True)
        return nothing.alias("value"), pl.Series([False])
    raw = fields["value"]
    if raw.dtype.is_numeric() or raw.dtype == pl.Boolean:
        value, missing = raw.cast(pl.Float64), raw.is_null()
    else:
        text = raw.cast(pl.String, strict=False)
        value, missing = text.cast(pl.Float64, strict=False), text.is_null()
        if value.null_count():
            text = text.str.strip_chars()
            value, missing = text.cast(pl.Float64, strict=False), missing | (text == "")
    wrong = ~value.is_finite().fill_null(False)
    return value, wrong & ~missing if mixed else wrong


def _blank(ids: pl.Series) -> pl.Series:
    """Which ids are empty, or blanks only."""
    if ((ids >= "!") & (ids < "\x7f")).all() and not ids.null_count():
        return pl.Series([False])  # all start with a visible ASCII character, which is quick to see
    return ids.is_null() | (ids.str.strip_chars() == "").fill_null(True)


def _given(text: pl.Expr, otherwise: str) -> pl.Expr:
    """The text without blanks around it, `otherwise` where there is none."""
    trimmed = text.cast(pl.String).str.strip_chars()
    return pl.when(trimmed.is_null() | (trimmed == "")).then(pl.lit(otherwise)).otherwise(trimmed)
