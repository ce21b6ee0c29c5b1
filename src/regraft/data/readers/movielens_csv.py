"""MovieLens-20M, 25M, 32M and latest: `ratings.csv` and `movies.csv`, as a folder or the zip.

Source: https://files.grouplens.org/datasets/movielens/. UTF-8 with a header; titles with commas are quoted;
times are seconds since 1970 UTC; genres are separated by `|`. Tested on files in the published layout only,
not on the published files themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from regraft.data.interactions import Batch
from regraft.data.readers._clock import Clock
from regraft.data.readers._delimited import delimited
from regraft.data.readers._files import files, find, log_file, no_log
from regraft.data.readers._rows import batches
from regraft.data.readers.lines import read_lines

EXPECTED = "userId,movieId,rating,timestamp, e.g. 1,296,5.0,1147880044"
LOG, MOVIES = "ratings.csv", "movies.csv"
HEADER = b"userId,movieId,rating,timestamp"
COLUMNS = {"user_id": 0, "item_id": 1, "value": 2, "timestamp": 3}


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is not the format."""
    source = log_file(path, LOG)
    if source and source.head()[:1] == [HEADER]:
        return f"MovieLens CSV layout: {source.name} with the header {HEADER.decode()}"
    return None


def interactions(path: Path, *, now: datetime | None = None) -> Iterator[Batch]:
    """The ratings, in file order; `now` (default: the present) decides which times lie in the future."""
    source = log_file(path, LOG)
    if source is None:
        raise no_log(path, LOG)
    with source.open() as stream:
        blocks = (lines.from_line(2) for lines in read_lines(stream, source.name, quoted=True))
        parts = (delimited(lines, ",", COLUMNS, 4, quoted=True) for lines in blocks)
        yield from batches(parts, Clock("s", now=now))


def items(path: Path) -> pl.LazyFrame:
    """`item_id, title, genres` ("Action, Comedy") of all movies; no rows where there is no movies.csv."""
    source = find(path, MOVIES)
    if source is None:
        return pl.LazyFrame(schema=dict.fromkeys(("item_id", "title", "genres"), pl.String))
    with source.open() as stream:
        blocks = (lines.from_line(2) for lines in read_lines(stream, source.name, quoted=True))
        columns = {"item_id": 0, "title": 1, "genres": 2}
        movies = pl.concat([delimited(lines, ",", columns, 3, quoted=True).fields for lines in blocks])
    genres = pl.col("genres").replace("(no genres listed)", None).str.replace_all("|", ", ", literal=True)
    return movies.lazy().select("item_id", "title", genres)


def sources(path: Path) -> list[Path]:
    """The files that are read."""
    return files(log_file(path, LOG), find(path, MOVIES))
