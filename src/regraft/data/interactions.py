"""The one table everything starts from: who did what with which item, and when.

A reader yields `Batch`es: rows in the canonical schema, and the rows it had to set aside
(file, line, reason), so that rows in = accepted + quarantined. Ids stay strings; times are
UTC milliseconds, converted in the reader and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from regraft.files import MARK

TIME = pl.Datetime("ms", "UTC")

_COLUMNS: dict[str, Any] = {
    "user_id": pl.String,
    "item_id": pl.String,
    "timestamp": TIME,
    "event": pl.String,  # "rating", "click", "impression", ...
    "value": pl.Float64,  # the rating; null where the event has no value
    "line": pl.Int64,  # 1-based line (or row) in the source file: the order among equal times
}
INTERACTIONS = pl.Schema(_COLUMNS)

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
    "future": "a time in the future",
    "duplicate": "an exact copy of an earlier row",
    "encoding": "bytes that are not valid text",
    "not-json": "a line that is not a JSON object",
}


@dataclass(frozen=True)
class Batch:
    """Some rows of a log: those accepted, and those set aside with their reason."""

    rows: pl.DataFrame  # schema INTERACTIONS
    rejected: pl.DataFrame  # schema QUARANTINE


class Reader(Protocol):
    """Reads one format. A reader is a module with these three functions; its file name is its name."""

    def sniff(self, path: Path) -> str | None:
        """What was recognised, in words; None where this is not the format."""

    def interactions(self, path: Path) -> Iterator[Batch]:
        """The rows of the log, in file order."""

    def items(self, path: Path) -> pl.LazyFrame:
        """`item_id, title` and free string attributes; no rows where the format has no item file."""


def empty_rows() -> pl.DataFrame:
    """No interactions, in the canonical schema."""
    return pl.DataFrame(schema=INTERACTIONS)


def empty_quarantine() -> pl.DataFrame:
    """No rejected rows, in the canonical schema."""
    return pl.DataFrame(schema=QUARANTINE)
