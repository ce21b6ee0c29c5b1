"""Turns fields into canonical rows; a row that does not hold travels on as data, with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from regraft.data.interactions import EVENT_ID, INTERACTIONS, TIME, Batch, Cells
from regraft.data.readers._clock import EARLIEST, Clock
from regraft.data.readers.lines import Part, set_aside

COLUMN_OF = {"bad-time": "timestamp", "bad-value": "value", "future": "timestamp", "early": "timestamp"}
KEPT_CELLS, SHOWN_FROM = 30, 10_000  # different texts that are kept, and rows in which they are looked for
TRUTH = {"true": "1", "false": "0"}


def batches(parts: Iterable[Part], clock: Clock, mixed: bool = False) -> Iterator[Batch]:
    """Canonical batches of a log.

    Parts hold `user_id, item_id, timestamp`, and `value`, `event` or `event_id` where the log has them. Without
    `value` the log is implicit: every value is null. A missing value is a bad value, unless the log is `mixed`
    (some of its events have none). Raises DataError where the times were read in a wrong unit.
    """
    settled: Clock | None = None
    unsettled = replace(clock, unit="s", each=True) if clock.unit == "auto" else clock
    for part in parts:
        name = part.columns.get("timestamp", "timestamp")
        settled = settled or clock.settled(part.fields["timestamp"], part.file, name)
        yield _batch(part, settled or unsettled, mixed)


def _batch(part: Part, clock: Clock, mixed: bool) -> Batch:
    fields = part.fields
    times, units = clock.read(fields["timestamp"])
    value, bad_value, forms = _values(fields, mixed)
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
        .when(pl.col("timestamp") < EARLIEST)
        .then(pl.lit("early"))
    )
    named = [_given(pl.col(EVENT_ID), None).alias(EVENT_ID)] if EVENT_ID in fields.columns else []
    checked = fields.with_columns(times.cast(TIME).alias("timestamp"), value, event.alias("event")).select(
        *INTERACTIONS, *named, reason.alias("reason")
    )
    counts = {f"time:{unit}": n for unit, n in units.items()} | {f"value:{form}": n for form, n in forms.items()}
    if fields["timestamp"].dtype == pl.Float32:
        counts["time:float32"] = fields.height
    if checked["reason"].null_count() == checked.height:
        return Batch(checked.drop("reason"), part.rejected, part.file, part.offset, part.cells, counts)
    bad = checked.filter(pl.col("reason").is_not_null())
    numbers = bad["line"].to_list()
    failed = set_aside(part.file, numbers, bad["reason"].to_list(), part.text(numbers))
    good = checked.filter(pl.col("reason").is_null()).drop("reason")
    cells = dict(part.cells) | _cells(part, checked["reason"])
    return Batch(good, pl.concat([part.rejected, failed]).sort("line"), part.file, part.offset, cells, counts)


def _cells(part: Part, reason: pl.Series) -> dict[str, Cells]:
    """What stands in the column that made rows bad, for each reason that one column decides."""
    found = {}
    for why, name in COLUMN_OF.items():
        bad = (reason == why).fill_null(False)
        if name in part.fields.columns and bad.any():
            texts = part.fields[name].filter(bad)
            some = texts.head(SHOWN_FROM).cast(pl.String, strict=False).fill_null("").unique(maintain_order=True)
            found[why] = Cells(part.columns.get(name, name), tuple(some.str.slice(0, 40).head(KEPT_CELLS)))
    return found


def _values(fields: pl.DataFrame, mixed: bool) -> tuple[pl.Series, pl.Series, dict[str, int]]:
    """Values as Float64, which of them are bad, and how many were read in which unusual form."""
    if "value" not in fields.columns:
        nothing = pl.repeat(None, fields.height, dtype=pl.Float64, eager=True)
        return nothing.alias("value"), pl.Series([False]), {}
    raw = fields["value"]
    forms: dict[str, int] = {}
    if raw.dtype.is_numeric() or raw.dtype == pl.Boolean:
        value, missing = raw.cast(pl.Float64), raw.is_null()
    else:
        text = raw.cast(pl.String, strict=False)
        value, missing = text.cast(pl.Float64, strict=False), text.is_null()
        if value.null_count():
            text = text.str.strip_chars()
            value, missing = text.cast(pl.Float64, strict=False), missing | (text == "")
            value, forms = _unusual(text, value)
    wrong = ~value.is_finite().fill_null(False)
    return value, wrong & ~missing if mixed else wrong, forms


def _unusual(text: pl.Series, value: pl.Series) -> tuple[pl.Series, dict[str, int]]:
    """Values with those that stand in another form that cannot be misread, and how many rows have it."""
    counts = {}
    forms = {
        "comma": text.str.extract(r"^([+-]?\d+,\d{1,2})$").str.replace(",", ".", literal=True),
        "out-of": text.str.extract(r"^(?i)(\d+(?:\.\d+)?) out of \d+(?: stars?)?$"),
        # A column of nothing else: beside numbers, 1 and 0 would be other steps of the scale.
        "true": text.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.String)
        if value.null_count() == len(value)
        else None,
    }
    for form, found in forms.items():
        if found is not None and (count := int((value.is_null() & found.is_not_null()).sum())):
            value = value.fill_null(found.cast(pl.Float64, strict=False))
            counts[form] = count
    return value, counts


def _blank(ids: pl.Series) -> pl.Series:
    """Which ids are empty, or blanks only."""
    if ((ids >= "!") & (ids < "\x7f")).all() and not ids.null_count():
        return pl.Series([False])  # all start with a visible ASCII character, which is quick to see
    return ids.is_null() | (ids.str.strip_chars() == "").fill_null(True)


def _given(text: pl.Expr, otherwise: str | None) -> pl.Expr:
    """The text without blanks around it, `otherwise` where there is none."""
    trimmed = text.cast(pl.String).str.strip_chars()
    return pl.when(trimmed.is_null() | (trimmed == "")).then(pl.lit(otherwise)).otherwise(trimmed)
