"""Interactions of a site on disk: immutable Parquet files by day. Which of them count is listed in SQL.

A file holds rows of one day (UTC) of events in the schema STORED and is named by its content. It is written aside,
flushed to the disk and renamed; nothing is ever changed in place. DuckDB, Spark and Ray read the files as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, Protocol, TypeVar

import polars as pl

from regraft.data.interactions import TIME, by_arrival
from regraft.errors import DataError
from regraft.files import durable
from regraft.said import Said

_COLUMNS: dict[str, Any] = {
    "row_id": pl.Int64,  # names the row for ever
    "uid": pl.String,  # pseudonym of the person: 32 hexadecimal digits
    "item_id": pl.String,
    "time": TIME,  # when it happened
    "known_at": TIME,  # when it became known: later than `time` where its period was closed already
    "event": pl.String,
    "value": pl.Float64,
    "identity": pl.String,  # by which the same row is known again when it comes a second time
    "request_id": pl.String,  # the four of what we served: null elsewhere
    "arm": pl.String,
    "version": pl.String,
    "position": pl.Int32,
}
STORED = pl.Schema(_COLUMNS)
SERVED = ("request_id", "arm", "version", "position")  # columns of what we served
DAY = "%Y-%m-%d"
IMPRESSION = "impression"  # the event of a row that says: shown, and not answered
CHUNK = 1_000_000  # rows whose identities are looked at together
ITEMS = "items"  # stands in the place of a day: the file holds texts of items, not events


@dataclass(frozen=True)
class DayFile:
    """One file as it is listed. `name` is relative to the folder of the store."""

    name: str
    day: str
    sha256: str
    rows: int
    bytes: int


class Entry(Protocol):
    """A file as the list in SQL gives it back."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def bytes(self) -> int: ...


E = TypeVar("E", bound=Entry)


def write(folder: Path, rows: pl.DataFrame) -> list[DayFile]:
    """Writes rows of the schema STORED, one file per day of `time`; they are on the disk when this returns.

    The columns SERVED may be absent.
    """
    rows = rows.with_columns(pl.lit(None, STORED[name]).alias(name) for name in SERVED if name not in rows.columns)
    by_day = rows.with_columns(day=pl.col("time").dt.strftime(DAY)).partition_by("day", as_dict=True)
    return [_write_day(folder, str(day), part.drop("day")) for (day,), part in sorted(by_day.items())]


def _write_day(folder: Path, day: str, rows: pl.DataFrame) -> DayFile:
    rows = rows.select(pl.col(name).cast(kind) for name, kind in STORED.items()).sort("known_at", "row_id")
    return _write(folder, day, rows, f"{rows['row_id'][0]}-{len(rows)}")


def _write(folder: Path, day: str, rows: pl.DataFrame, part: str) -> DayFile:
    staged = folder / day / f"{part}.part"
    staged.parent.mkdir(parents=True, exist_ok=True)
    with durable(staged):
        rows.write_parquet(staged)
    digest = sha256(staged)
    name = f"{day}/{digest[:32]}.parquet"
    with durable(folder / name):
        staged.replace(folder / name)
    return DayFile(name, day, digest, len(rows), (folder / name).stat().st_size)


def write_items(folder: Path, items: pl.DataFrame) -> list[DayFile]:
    """Writes texts of items as one file: `item_id, known_at, title` and attributes, all but `known_at` strings."""
    return [_write(folder, ITEMS, items.sort("known_at", "item_id"), f"{len(items)}")] if len(items) else []


def read_items(folder: Path, files: Iterable[Entry]) -> pl.DataFrame:
    """All texts of items, in the order in which they became known; an attribute that a file lacks is null."""
    empty = pl.DataFrame(schema={"item_id": pl.String, "known_at": TIME, "title": pl.String})
    parts = [_read(folder, file) for file in files]
    return pl.concat([empty, *parts], how="diagonal").sort("known_at", "item_id", maintain_order=True)


def read(folder: Path, files: Iterable[Entry], columns: Iterable[str] = STORED) -> pl.DataFrame:
    """The rows of the files in the order in which they became known.

    Raises DataError where a file is missing or holds another number of rows than is listed.
    """
    names = list(columns)
    wanted = list(dict.fromkeys([*names, "known_at", "row_id"]))
    parts = [_read(folder, file, wanted) for file in files]
    empty = pl.DataFrame(schema={name: STORED[name] for name in wanted})
    return by_arrival(pl.concat([empty, *parts])).select(names)


def there(folder: Path, files: Iterable[Entry], identities: pl.Series) -> pl.Series:
    """Those of the identities that rows of the files have; the files are read CHUNK rows or so at a time."""
    listed = list(files)
    counted = zip(listed, accumulate(file.rows for file in listed), strict=True)
    found = [identities.clear()]
    for _, part in groupby(counted, key=lambda one: one[1] // CHUNK):
        known = read(folder, [file for file, _ in part], ["identity"])["identity"]
        found.append(identities.filter(identities.is_in(known.implode())))
    return pl.concat(found)


def newest_known(folder: Path, file: Entry) -> int:
    """When the last row of a file became known, ms."""
    times = read(folder, [file], ["known_at"])["known_at"].dt.epoch("ms")
    return int(times[-1]) if len(times) else 0


def _read(folder: Path, file: Entry, columns: list[str] | None = None) -> pl.DataFrame:
    path = folder / file.name
    try:
        rows = pl.read_parquet(path, columns=columns)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, Said("cannot be read: {reason}", reason=str(error).splitlines()[0])) from error
    if len(rows) != file.rows:
        raise _damaged(path, Said("holds {n:,} rows, {listed:,} are listed", n=len(rows), listed=file.rows))
    return rows if columns is None else rows.select(columns)


def damaged(folder: Path, files: Iterable[E]) -> Iterator[E]:
    """The listed files that are missing or hold other bytes than those that were written."""
    for file in files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.bytes or sha256(path) != file.sha256:
            yield file


def identities(rows: pl.DataFrame) -> pl.Series:
    """String per row of `uid, item_id, time, event, value` (and `event_id`, where the log has one).

    A row's identity is its event_id, else the hash of what it says and its number among rows without an event_id that
    say the same.
    """
    said = ["uid", "item_id", "time", "event", "value"]
    with_id = "event_id" in rows.columns
    number = pl.int_range(pl.len()).over([*said, pl.col("event_id").is_null()] if with_id else said)
    text = pl.concat_str(
        [pl.col("uid"), pl.col("item_id"), pl.col("time").dt.epoch("ms"), "event", "value", number],
        separator="\x00", ignore_nulls=False,
    )  # fmt: skip
    filled = rows.with_columns(pl.col("event").fill_null(""), pl.col("value").cast(pl.String).fill_null(""))
    said_by = filled.select(text.alias("text"))["text"]
    hashed = pl.Series([hashlib.blake2b(t.encode(), digest_size=16).hexdigest() for t in said_by], dtype=pl.String)
    if not with_id:
        return hashed
    names = named(rows)
    return names.zip_with(names.is_not_null(), hashed)


def named(rows: pl.DataFrame) -> pl.Series:
    """The identities of rows that have an event_id, null for the others."""
    return rows.select(pl.format("e:{}", "event_id"))["event_id"]


def sha256(path: Path) -> str:
    """Of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, found: Said) -> DataError:
    return DataError(
        "data file '{path}'", found, "what was written there", "Restore the file from a backup; it is listed in SQL",
        path=path,
    )  # fmt: skip
