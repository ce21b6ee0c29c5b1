"""What servers spooled becomes rows of the site: events, and lists that nobody answered.

An event belongs to the list that it names, else to the newest list within a day before it that shows its item. An
item of a list that no event answers within the feedback delay becomes a row of the event `impression`: it counts in
click-through rates and, where the label rule is about events, it is an example that was not liked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data import spool
from regraft.data.interactions import TIME
from regraft.data.regimes import duration
from regraft.data.store import IMPRESSION
from regraft.errors import DataError
from regraft.release.ingest import Rows, take_in
from regraft.release.runs import date_of
from regraft.setup.site import DAY, Site
from regraft.state import erasures
from regraft.state.database import transaction
from regraft.state.files import Counts
from regraft.state.lease import Lease

ANSWER = 86_400_000  # ms within which an event belongs to a list that it does not name
_EVENTS = {
    "event_id": pl.String, "pseudonym": pl.String, "item_id": pl.String, "time": pl.Int64, "event": pl.String,
    "value": pl.Float64, "request_id": pl.String,
}  # fmt: skip
_LISTS = {
    "request_id": pl.String, "pseudonym": pl.String, "time": pl.Int64, "arm": pl.String, "version": pl.String,
    "items": pl.List(pl.String),
}  # fmt: skip


@dataclass(frozen=True)
class Spooled:
    """Events and shown items (one row per position of a list) of all segments, and the segments' bytes when read."""

    events: pl.DataFrame
    shown: pl.DataFrame
    sizes: dict[Path, int]


@dataclass(frozen=True)
class Taken:
    """What came of a spool: None where there was nothing; and what was read, which alone may be removed."""

    counts: Counts | None
    sizes: dict[Path, int]


def take_spool(site: Site, held: Lease, cut: int, now: int) -> Taken:
    """Takes in what happened before `cut` (ms), the end of a day; the same spool twice changes nothing.

    Lists are settled by the day that they were shown on, once: their answers may have left the spool since.
    `now` (ms) is the time on the clock: DataError where a list shown on the day may still be answered.
    """
    found = _read(site)
    delay = duration(site.options.feedback_delay)
    shown = found.shown.filter(pl.col("time").is_between(cut - DAY, cut, closed="left"))
    if len(shown) and now < cut + delay:
        raise DataError(
            "day {day}", "has lists that may still be answered", "a time {delay} after its end (feedback_delay)",
            "Run the same command again then, or set a shorter feedback_delay in regraft.yaml",
            day=date_of(cut - 1), delay=site.options.feedback_delay,
        )  # fmt: skip
    answers = _answers(found.events, found.shown)
    rows = pl.concat([answers.filter(pl.col("time") < cut), _unanswered(shown, answers, delay)], how="diagonal_relaxed")
    if not len(rows):
        return Taken(None, found.sizes)
    rows = rows.with_columns(pl.col("time").cast(TIME)).sort("time", "event_id")
    digest = hashlib.sha256("\n".join(rows["event_id"]).encode()).hexdigest()
    empty = pl.DataFrame(schema={"item_id": pl.String, "title": pl.String})
    return Taken(take_in(site, Rows(rows, empty, "spool", digest, 0), held), found.sizes)


def clear(site: Site, cut: int, sizes: dict[Path, int]) -> int:
    """Removes segments that are finished, have not grown since they were read, and are no longer needed; how many."""
    removed = 0
    for kind, keep in (("events", 0), ("lists", ANSWER)):
        for segment in spool.segments(site.spool / kind):
            newest = max((row["time"] for row in spool.lines(segment)), default=0)
            removed += newest < cut - keep and spool.remove_finished(segment, sizes.get(segment, -1))
    return removed


def _read(site: Site) -> Spooled:
    with transaction(site.engine) as connection:
        blocked = erasures.blocked(connection)
    segments = {kind: spool.segments(site.spool / kind) for kind in ("events", "lists")}
    sizes = {one: one.stat().st_size for part in segments.values() for one in part}  # before they are read
    events = _frame((row for one in segments["events"] for row in spool.lines(one)), _EVENTS, blocked)
    lists = _frame((row for one in segments["lists"] for row in spool.lines(one)), _LISTS, blocked)
    shown = (
        lists.unique("request_id", keep="first", maintain_order=True)
        .with_columns(position=pl.int_ranges(0, pl.col("items").list.len(), dtype=pl.Int32))
        .explode("items", "position")
        .rename({"items": "item_id"})
        .drop_nulls("item_id")
    )
    return Spooled(events.unique("event_id", keep="first", maintain_order=True), shown, sizes)


def _frame(rows: Any, schema: dict[str, Any], blocked: set[str]) -> pl.DataFrame:
    """Rows of these columns, but those of people who are being erased."""
    kept = [{name: row.get(name) for name in schema} for row in rows if row["pseudonym"] not in blocked]
    return pl.DataFrame(kept, schema=schema)


def _answers(events: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """The events with `request_id`, `arm`, `version` and `position` of the list that they belong to; else null."""
    what = ["arm", "version", "position"]
    named = events.filter(pl.col("request_id").is_not_null())
    own = ["request_id", "pseudonym", "item_id"]  # nobody answers a list of somebody else
    named = named.join(shown.select(*own, *what), on=own, how="left")
    free = events.filter(pl.col("request_id").is_null()).drop("request_id").sort("time")
    newest = shown.select("pseudonym", "item_id", "time", "request_id", *what).sort("time")
    free = free.join_asof(
        newest, on="time", by=["pseudonym", "item_id"], strategy="backward", tolerance=ANSWER, check_sortedness=False
    )
    return pl.concat([named.select(*_EVENTS, *what), free.select(*_EVENTS, *what)])


def _unanswered(shown: pl.DataFrame, answers: pl.DataFrame, delay: int) -> pl.DataFrame:
    """Shown items that no event answered within the delay, as rows of the event `impression`."""
    answered = answers.filter(pl.col("position").is_not_null()).join(
        shown.select("request_id", "item_id", shown_at="time"), on=["request_id", "item_id"]
    )
    in_time = answered.filter(pl.col("time") - pl.col("shown_at") <= delay)
    return shown.join(in_time, on=["request_id", "item_id"], how="anti").with_columns(
        event_id=pl.format("{}:{}", "request_id", "position"), event=pl.lit(IMPRESSION), value=pl.lit(None, pl.Float64)
    )
