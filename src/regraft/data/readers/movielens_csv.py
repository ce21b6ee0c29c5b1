"""MovieLens-20M, 25M, 32M and latest: `ratings.csv` and `movies.csv`, as a folder or the zip.

Source: https://files.grouplens.org/datasets/movielens/. UTF-8 with a header; titles with commas are quoted;
times are seconds since 1970 UTC; genres are separated by `|`. A header in quotes or a column of row numbers
before it (R's `write.csv`) is read as well. Tested on files in the published layout only, not on the published
files themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import polars as pl

from regraft.data.interactions import Batch, Catalogue, empty_quarantine
from regraft.data.readers._clock import Clock
from regraft.data.readers._files import Source, files, find, log_file, no_log, sniffed
from regraft.data.readers._rows import batches
from regraft.data.readers._tables import Table, table_of
from regraft.errors import DataError

EXPECTED = "userId,movieId,rating,timestamp, e.g. 1,296,5.0,1147880044"
LOG, MOVIES = "ratings.csv", "movies.csv"
COLUMNS = {"user_id": "userId", "item_id": "movieId", "value": "rating", "timestamp": "timestamp"}
MOVIE_COLUMNS = {"item_id": "movieId", "title": "title", "genres": "genres"}


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is not the format."""
    source = sniffed(path, LOG)
    with suppress(DataError):
        if source and (table := _table(source, COLUMNS)):
            return f"MovieLens CSV layout: {source.name} with the header {','.join(table.names)}"
    return None


def interactions(path: Path, *, now: datetime | None = None) -> Iterator[Batch]:
    """The ratings, in file order; `now` (default: the present) decides which times lie in the future."""
    source = log_file(path, LOG)
    if source is None:
        raise no_log(path, LOG)
    source.check()
    table = _table(source, COLUMNS)
    if table is None:
        raise DataError(str(path), f"holds a {LOG} without the columns {', '.join(COLUMNS.values())}", EXPECTED)
    yield from batches(table.parts(COLUMNS), Clock("s", now=now))


def catalogue(path: Path) -> Catalogue:
    """`item_id, title, genres` ("Action, Comedy") of all movies, and the lines of movies.csv that cannot be read."""
    source = find(path, MOVIES)
    table = _table(source, MOVIE_COLUMNS) if source else None
    if table is None:
        nothing = pl.DataFrame(schema=dict.fromkeys(MOVIE_COLUMNS, pl.String))
        notes = (f"{MOVIES} has no columns {', '.join(MOVIE_COLUMNS.values())} and is not read",) if source else ()
        return Catalogue(nothing, empty_quarantine(), notes)
    parts = list(table.parts(MOVIE_COLUMNS))
    movies = pl.concat([part.fields for part in parts])
    genres = pl.col("genres").replace("(no genres listed)", None).str.replace_all("|", ", ", literal=True)
    return Catalogue(movies.select("item_id", "title", genres), pl.concat([part.rejected for part in parts]))


def items(path: Path) -> pl.LazyFrame:
    """The items of `catalogue`; no rows where there is no movies.csv."""
    return catalogue(path).items.lazy()


def _table(source: Source, columns: Mapping[str, str]) -> Table | None:
    """The file as a table, where it has these columns: as published, or written again with quotes or row numbers."""
    table = table_of(source)
    return table if table and table.separator == "," and set(columns.values()) <= set(table.names) else None


def sources(path: Path) -> list[Path]:
    """The files that are read."""
    return files(log_file(path, LOG), find(path, MOVIES))
