"""Ids of people out of a file, one after the other: however long the file is, little of it is in memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from regraft.errors import DataError

COLUMN = "user_id"
ROWS = 50_000  # of a Parquet file at once


def users_in(path: Path) -> Iterator[str]:
    """The ids in their order: a column `user_id` of a Parquet, CSV or TSV file; of any other file, one per line.

    Rows without an id are passed over. Raises DataError where there is no such column or the file cannot be read.
    """
    if path.suffix == ".parquet":
        yield from _parquet(path)
    elif path.suffix in (".csv", ".tsv"):
        yield from _table(path)
    else:
        try:
            with path.open(encoding="utf-8-sig") as lines:
                yield from (line for line in (one.strip() for one in lines) if line)
        except UnicodeDecodeError as error:
            raise _unreadable(path, error) from error


def _table(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            if COLUMN not in (rows.fieldnames or ()):
                raise _no_column(path, list(rows.fieldnames or ()))
            yield from (row[COLUMN] for row in rows if row[COLUMN])
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _parquet(path: Path) -> Iterator[str]:
    try:
        columns = list(pl.read_parquet_schema(path))
        if COLUMN not in columns:
            raise _no_column(path, columns)
        ids, first = pl.scan_parquet(path).select(pl.col(COLUMN).cast(pl.String)), 0
        while len(part := ids.slice(first, ROWS).collect()[COLUMN]):
            yield from (one for one in part if one)
            first += len(part)
    except pl.exceptions.PolarsError as error:
        raise _unreadable(path, error) from error


def _no_column(path: Path, columns: list[str]) -> DataError:
    return DataError(f"users '{path}'", f"has the columns {', '.join(columns) or '(none)'}", f"a column {COLUMN}")


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"users '{path}'", f"cannot be read: {error}", f"text in UTF-8, or a Parquet file with {COLUMN}")
