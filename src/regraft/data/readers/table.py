"""Any table of interactions: CSV, TSV, JSON lines (plain or gzip) or Parquet, with a mapping of its columns.

CSV and TSV have a header, are UTF-8 and may be quoted. Well-known column names are recognised without a
mapping. A log without a rating column is implicit: its values are null. Numeric times are seconds,
milliseconds or microseconds since 1970 UTC, whichever puts them between 1980 and now; ISO 8601 text and
typed dates are read as well. Items come from `X.items.csv` beside `X.interactions.csv` (any ending).
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data.interactions import Batch
from regraft.data.readers._clock import Clock
from regraft.data.readers._files import Source, files
from regraft.data.readers._mapping import REQUIRED, Mapping
from regraft.data.readers._objects import words
from regraft.data.readers._rows import batches
from regraft.data.readers._tables import Table, look
from regraft.errors import DataError

__all__ = ["Mapping", "interactions", "items", "sniff", "sources"]

EXPECTED = "a user, an item and a time in every row, and a number as rating where the log has ratings"


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is no table, or one with unknown column names."""
    table = look(path)
    if table is None:
        return None
    try:
        chosen = Mapping().log_columns(table.columns, path.name)
    except DataError:
        return None
    named = (column if column == name else f"{column} as {name}" for name, column in chosen.items())
    return f"{table.kind} table with {', '.join(named)}"


def interactions(
    path: Path, *, mapping: Mapping | AnyMapping[str, Any] | None = None, now: datetime | None = None
) -> Iterator[Batch]:
    """The rows, in file order; `now` (default: the present) decides which times lie in the future.

    Raises DataError where a column is missing or not one time is plausible.
    """
    table, given = _table(path), Mapping.of(mapping)
    chosen = given.log_columns(table.columns, path.name)
    clock = Clock(given.time_unit, given.time_zone, now)
    yield from batches(table.parts(chosen), clock, mixed="event" in chosen)


def items(
    path: Path, *, mapping: Mapping | AnyMapping[str, Any] | None = None, file: Path | None = None
) -> pl.LazyFrame:
    """`item_id, title` and attributes from `file`, the mapping's `items`, or the table beside the log.

    Rows that cannot be cut into fields are left out; no rows where there is no item table.
    """
    given = Mapping.of(mapping)
    companion = file or given.items or _companion(path)
    if companion is None:
        return pl.LazyFrame(schema={"item_id": pl.String, "title": pl.String})
    table = _table(companion)
    chosen = given.items_columns(table.columns, companion.name)
    frames = [part.fields.drop("line") for part in table.parts(chosen)]
    frame = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(chosen, pl.String))
    if "title" not in chosen:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("title"))
    attributes = [name for name in frame.columns if name not in ("item_id", "title")]
    if table.kind == "JSON lines":  # lists come as their JSON text
        frame = frame.with_columns(pl.Series(name, map(words, frame[name]), pl.String) for name in attributes)
    return frame.lazy().select("item_id", "title", *attributes)


def sources(
    path: Path, *, mapping: Mapping | AnyMapping[str, Any] | None = None, file: Path | None = None
) -> list[Path]:
    """The files that are read."""
    companion = file or Mapping.of(mapping).items or _companion(path)
    return files(Source(path), Source(companion) if companion else None)


def _table(path: Path) -> Table:
    table = look(path)
    if table is None:
        Source(path).check()
        raise DataError(
            str(path),
            "is not a table",
            "CSV or TSV with a header, JSON lines, or Parquet",
            f"A table needs at least the columns {', '.join(REQUIRED)}.",
        )
    return table


def _companion(path: Path) -> Path | None:
    """`X.items.parquet` beside `X.interactions.parquet`."""
    beside = path.with_name(path.name.replace("interactions", "items"))
    return beside if beside != path and beside.is_file() else None
