"""MovieLens-1M in its official layout: `ratings.dat` and `movies.dat`, as a folder or the zip.

Source: https://files.grouplens.org/datasets/movielens/ml-1m.zip. Fields are separated by `::`, there is no
header and no quoting; times are seconds since 1970 UTC; files are ISO-8859-1. Genres stand in one field,
separated by `|`. MovieLens-10M has the same layout with half stars and UTF-8, and is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from regraft.data.interactions import Batch
from regraft.data.readers._clock import Clock
from regraft.data.readers._delimited import delimited
from regraft.data.readers._files import files, find, log_file, no_log, sniffed
from regraft.data.readers._rows import batches
from regraft.data.readers.lines import read_lines

EXPECTED = "user::item::rating::timestamp, e.g. 1::1193::5::978300760"
LOG, MOVIES = "ratings.dat", "movies.dat"
COLUMNS = {"user_id": 0, "item_id": 1, "value": 2, "timestamp": 3}
AS_PUBLISHED = True  # titles too: results on these files are compared across papers
ROW = re.compile(rb"\d+::\d+::\d(\.\d)?::\d+")


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is not the format."""
    source = sniffed(path, LOG)
    if source and any(ROW.fullmatch(line) for line in source.head()[:20]):
        return f"MovieLens-1M layout: {source.name} with fields separated by '::'"
    return None


def interactions(path: Path, *, now: datetime | None = None) -> Iterator[Batch]:
    """The ratings, in file order; `now` (default: the present) decides which times lie in the future."""
    source = log_file(path, LOG)
    if source is None:
        raise no_log(path, LOG)
    with source.open() as stream:
        blocks = read_lines(stream, source.name, encoding="iso-8859-1")
        yield from batches((delimited(lines, "::", COLUMNS, 4) for lines in blocks), Clock("s", now=now))


def items(path: Path) -> pl.LazyFrame:
    """`item_id, title, genres` ("Action, Comedy") of all movies; no rows where there is no movies.dat."""
    source = find(path, MOVIES)
    rows = []
    for line in source.text_lines() if source else []:
        item, _, rest = line.partition("::")
        # A title may hold '::' itself; the genres are what follows the last one.
        title, found, genres = rest.rpartition("::")
        rows.append((item, title, genres.replace("|", ", ") or None) if found else (item, rest, None))
    return pl.LazyFrame(rows, schema=dict.fromkeys(("item_id", "title", "genres"), pl.String), orient="row")


def sources(path: Path) -> list[Path]:
    """The files that are read."""
    return files(log_file(path, LOG), find(path, MOVIES))
