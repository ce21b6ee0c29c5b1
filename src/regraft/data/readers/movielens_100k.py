"""MovieLens-100K in its official layout: `u.data` and `u.item`, as a folder or the zip.

Source: https://files.grouplens.org/datasets/movielens/ml-100k.zip. `u.data` is tab separated without a
header; times are seconds since 1970 UTC. `u.item` is `|` separated ISO-8859-1: id, title, two release dates,
a link and 19 flags, one per genre in the order of `u.genre`.
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

EXPECTED = "user, item, rating, timestamp separated by tabs, e.g. 196\t242\t3\t881250949"
LOG, MOVIES = "u.data", "u.item"
COLUMNS = {"user_id": 0, "item_id": 1, "value": 2, "timestamp": 3}
AS_PUBLISHED = True  # titles too: results on these files are compared across papers
ROW = re.compile(rb"\d+\t\d+\t\d(\.\d)?\t\d+")
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
AFTER_TITLE = 3 + len(GENRES)  # fields


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is not the format."""
    source = sniffed(path, LOG)
    if source and any(ROW.fullmatch(line) for line in source.head()[:20]):
        return f"MovieLens-100K layout: {source.name} with fields separated by tabs, no header"
    return None


def interactions(path: Path, *, now: datetime | None = None) -> Iterator[Batch]:
    """The ratings, in file order; `now` (default: the present) decides which times lie in the future."""
    source = log_file(path, LOG)
    if source is None:
        raise no_log(path, LOG)
    with source.open() as stream:
        blocks = read_lines(stream, source.name, encoding="iso-8859-1")
        yield from batches((delimited(lines, "\t", COLUMNS, 4) for lines in blocks), Clock("s", now=now))


def items(path: Path) -> pl.LazyFrame:
    """`item_id, title, genres` ("Action, Comedy") of all movies; no rows where there is no u.item."""
    source = find(path, MOVIES)
    rows = []
    for line in source.text_lines() if source else []:
        item, *fields = line.split("|")
        title, flags = "|".join(fields[:-AFTER_TITLE]), fields[-len(GENRES) :]
        genres = ", ".join(genre for genre, flag in zip(GENRES, flags, strict=False) if flag == "1")
        rows.append((item, title, genres or None))
    return pl.LazyFrame(rows, schema=dict.fromkeys(("item_id", "title", "genres"), pl.String), orient="row")


def sources(path: Path) -> list[Path]:
    """The files that are read."""
    return files(log_file(path, LOG), find(path, MOVIES))
