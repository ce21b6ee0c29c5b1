"""The one table everything starts from: who did what with which item, and when.

A reader yields `Batch`es: rows in the canonical schema, and the rows it had to set aside
(file, line, reason), so that rows in = accepted + quarantined. Ids stay strings; times are
UTC milliseconds, converted in the reader and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from regraft.output_paths import MARK

TIME = pl.Datetime("ms", "UTC")

_COLUMNS: dict[str, Any] = {
    "user_id": pl.String,
    "item_id": pl.String,
    "timestamp": TIME,
    "event": pl.String,  # "rating", "click", "impression", ...
    "value": pl.Float64,  # the rating; null where the event has no value
    "line": pl.Int64,  # 1-based line (or row) in the source, unique and ascending over all its files
}
INTERACTIONS = pl.Schema(_COLUMNS)
EVENT_ID = (
    "event_id"  # String that a row may carry as well, null or not: it names the event for ever, whatever else it says
)

QUARANTINE = pl.Schema(
    {
        "file": pl.String,
        "line": pl.Int64,
        "reason": pl.String,  # one of REASONS
        "text": pl.String,  # the raw line, cut at 200 characters
    }
)

# How a list of rows that were set aside begins (CSV, JSON Lines), or what stands in it (Parquet).
QUARANTINE_MARK = rf"""^file,line,reason,text|^\{{"file":"[^"]*","line":\d+,"reason":"[a-z-]+","text":|{MARK}"""

REASONS = {
    "field-count": "wrong number of fields",
    "bad-time": "a timestamp that is not a time",
    "bad-value": "a rating that is not a number",
    "empty-id": "an empty user or item id",
    "nested-id": "a user or item id that is a list or an object",
    "future": "a time in the future",
    "early": "a time before 1990",
    "duplicate": "a copy of an earlier row",
    "encoding": "bytes that are not valid text",
    "not-json": "a line that is not a JSON object",
}


@dataclass(frozen=True)
class Cells:
    """What stands in the cells that made some rows bad."""

    column: str  # the name of the column in the file
    texts: tuple[str, ...]  # the first different ones


@dataclass(frozen=True)
class Batch:
    """Some rows of one file of a log: those accepted, and those set aside with their reason.

    `line` minus `offset` is the line in `file`, in both tables; a log of one file has the offset 0.
    """

    rows: pl.DataFrame  # schema INTERACTIONS, and EVENT_ID where the log names its events
    rejected: pl.DataFrame  # schema QUARANTINE
    file: str = ""
    offset: int = 0
    cells: Mapping[str, Cells] = field(default_factory=dict)  # by reason
    counts: Mapping[str, int] = field(default_factory=dict)  # accepted rows by how a field was read: "time:ms"


@dataclass(frozen=True)
class Catalogue:
    """The items of a log as the item file gives them."""

    items: pl.DataFrame  # `item_id, title` and free string attributes
    rejected: pl.DataFrame  # rows of the item file that could not be read; schema QUARANTINE
    notes: tuple[str, ...] = ()  # what was chosen without being asked


class Reader(Protocol):
    """Reads one format. A reader is a module with these three functions; its file name is its name.

    It may have a fourth, `catalogue(path) -> Catalogue`, which takes the place of `items` where rows of the item
    file can be unreadable, and `sources(path) -> list[Path]`, the files it reads.
    """

    def sniff(self, path: Path) -> str | None:
        """What was recognised, in words; None where this is not the format."""

    def interactions(self, path: Path) -> Iterator[Batch]:
        """The rows of the log, in file order."""

    def items(self, path: Path) -> pl.LazyFrame:
        """`item_id, title` and free string attributes; no rows where the format has no item file."""


def by_arrival(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order in which they became known: by `known_at`, then `row_id`.

    Those that lie in order are given back as they are: sorting would copy them, and a log may be most of the memory.
    """
    in_order = rows["known_at"].is_sorted() and rows["row_id"].is_sorted()
    return rows if in_order else rows.sort("known_at", "row_id")


def empty_rows() -> pl.DataFrame:
    """No interactions, in the canonical schema."""
    return pl.DataFrame(schema=INTERACTIONS)


def empty_quarantine() -> pl.DataFrame:
    """No rejected rows, in the canonical schema."""
    return pl.DataFrame(schema=QUARANTINE)
