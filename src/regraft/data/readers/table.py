"""Any table of interactions: CSV, TSV, JSON, Parquet or Arrow, a file or a folder of parts, with a mapping of columns.

Text is UTF-8 or UTF-16, plain or packed (gzip, bzip2, xz, or the only table in a zip), and may be quoted. Well-known
column names are recognised without a mapping. A log without a rating column is implicit: its values are null.
Numeric times are seconds, milliseconds, microseconds or nanoseconds since 1970 UTC, row by row whichever puts them
between 1990 and now; ISO 8601 text and typed dates are read as well, other forms with `timestamp_format`. Items come
from `X.items.csv` beside `X.interactions.csv` (any ending).
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data.interactions import Batch, Catalogue, empty_quarantine
from regraft.data.readers._clock import Clock
from regraft.data.readers._files import Source, files, is_zip, members
from regraft.data.readers._guess import without_header
from regraft.data.readers._mapping import Mapping
from regraft.data.readers._names import REQUIRED
from regraft.data.readers._not_tables import explained
from regraft.data.readers._objects import words
from regraft.data.readers._rows import batches
from regraft.data.readers._tables import ARRAY, JSON, PYTHON, Table, look, table_of
from regraft.data.readers.lines import Part
from regraft.errors import DataError

__all__ = ["Mapping", "catalogue", "describe", "explain", "interactions", "items", "sniff", "sources"]

EXPECTED = "a user, an item and a time in every row, and a number as rating where the log has ratings"
SHOWN = 8  # columns that are not used
Given = Mapping | AnyMapping[str, Any] | None


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is no table, or one with unknown column names."""
    try:
        return describe(path)
    except DataError:
        return None


def describe(path: Path, mapping: Given = None) -> str:
    """What the file is, which columns are taken as what, and which are not used.

    Raises DataError where a column is missing, and where this is no table.
    """
    tables = _tables(path)
    chosen = _columns(Mapping.of(mapping), path, tables[0])
    named = (column if column == name else f"{column} as {name}" for name, column in chosen.items())
    used = {*chosen.values(), *(column.split(".")[0] for column in chosen.values())}
    unused = [name for name in tables[0].names if name and name not in used and name.split(".")[0] not in used]
    more = f" and {len(unused) - SHOWN} more" if len(unused) > SHOWN else ""
    words = f"{tables[0].recognised} with {', '.join(named)}"
    words += f"; not used: {', '.join(unused[:SHOWN])}{more}" if unused else ""
    return f"{words}; {len(tables):,} files, read in the order of their names" if len(tables) > 1 else words


def interactions(path: Path, *, mapping: Given = None, now: datetime | None = None) -> Iterator[Batch]:
    """The rows, in file order; `now` (default: the present) decides which times lie in the future.

    The lines of a folder of parts are numbered through, in the order of the names of the files.
    Raises DataError where a column is missing or not one time is plausible.
    """
    tables, given = _tables(path), Mapping.of(mapping)
    chosen = [_columns(given, path, table) for table in tables]
    clock = Clock(given.time_unit, given.time_zone, now, given.timestamp_format)
    yield from batches(_numbered_through(tables, chosen, given.encoding), clock, mixed="event" in chosen[0])


def catalogue(path: Path, *, mapping: Given = None, file: Path | None = None) -> Catalogue:
    """The items in `file`, the mapping's `items`, or the table beside the log, and its rows that cannot be read.

    No rows where there is no item table.
    """
    given = Mapping.of(mapping)
    companion = _companion(path, file or given.items)
    if companion is None:
        return Catalogue(pl.DataFrame(schema={"item_id": pl.String, "title": pl.String}), empty_quarantine())
    tables = look(companion.path) if not companion.member else [table_of(companion)]
    table = next((table for table in tables if table is not None), None)
    if table is None:
        raise explained(companion.path)
    chosen = given.items_columns(table.columns)
    # Under names of its own, since a column may be called `line` or `timestamp`.
    keys = {f"field {number}": column for number, column in enumerate(chosen.values())}
    read = [part for one in tables if one for part in one.parts(keys, given.encoding)]
    frame = (
        pl.concat([part.fields.drop("line") for part in read])
        if read
        else pl.DataFrame(schema=dict.fromkeys(keys, pl.String))
    )
    frame = frame.rename(dict(zip(keys, chosen, strict=True)))
    if "title" not in chosen:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("title"))
    attributes = [name for name in frame.columns if name not in ("item_id", "title")]
    if table.kind in (JSON, ARRAY, PYTHON):  # lists come as their JSON text
        frame = frame.with_columns(pl.Series(name, map(words, frame[name]), pl.String) for name in attributes)
    rejected = pl.concat([empty_quarantine(), *(part.rejected for part in read)])
    return Catalogue(frame.select("item_id", "title", *attributes), rejected, tuple(_doubled(table)))


def items(path: Path, *, mapping: Given = None, file: Path | None = None) -> pl.LazyFrame:
    """`item_id, title` and attributes of `catalogue`, without what could not be read."""
    return catalogue(path, mapping=mapping, file=file).items.lazy()


def sources(path: Path, *, mapping: Given = None, file: Path | None = None) -> list[Path]:
    """The files that are read."""
    tables = look(path)
    companion = _companion(path, file or Mapping.of(mapping).items)
    return files(*([table.source for table in tables] or [Source(path)]), companion)


def explain(path: Path) -> DataError:
    """Why this is no log that can be read without more words: what it is, and what to do."""
    try:
        describe(path)
    except DataError as error:
        return error
    return DataError(str(path), "is a table that can be read", "", f"Read it with: regraft data inspect {path}")


def _tables(path: Path) -> list[Table]:
    tables = look(path)
    if not tables:
        raise explained(path)
    return tables


def _columns(given: Mapping, path: Path, table: Table) -> dict[str, str]:
    """Canonical name: column. A file without a header needs a mapping of the three that are required."""
    columns = table.columns
    if columns.firsts and not all(getattr(given, name) for name in REQUIRED):
        raise without_header(columns.file, str(path), table.names, table.rows)
    return given.log_columns(columns)


def _numbered_through(tables: list[Table], chosen: list[dict[str, str]], encoding: str) -> Iterator[Part]:
    offset = 0
    for table, columns in zip(tables, chosen, strict=True):
        last = offset
        for part in table.parts(columns, encoding, offset):
            last = max(last, part.last)
            yield part
        offset = last


def _doubled(table: Table) -> list[str]:
    """Names that several columns of the item table have."""
    twice = [name for name in dict.fromkeys(table.names) if list(table.names).count(name) > 1]
    return [f"the item file has several columns called '{name}'; the first one is read" for name in twice]


def _companion(path: Path, named: Path | None) -> Source | None:
    """The item table: the one that is named, or `X.items.parquet` beside `X.interactions.parquet`, in a zip too."""
    if named is not None:
        if not named.exists():
            Source(named).check()
        return Source(named)
    beside = path.with_name(path.name.replace("interactions", "items"))
    if beside != path and (beside.is_file() or beside.is_dir()):
        return Source(beside)
    if is_zip(path):
        names = members(path)
        pairs = (name.replace("interactions", "items") for name in names if "interactions" in name)
        return next((Source(path, name) for name in pairs if name in names), None)
    return None
