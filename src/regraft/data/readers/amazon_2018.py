"""Amazon reviews of 2014 and 2018 (Ni et al. 2019): JSON lines, plain or gzip, with metadata beside them.

Source: https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/. Reviews carry `reviewerID`, `asin`, `overall`
(1-5) and `unixReviewTime` in seconds UTC, which is always midnight: order inside a day is the file's.
Metadata is `meta_<category>.json[.gz]` with `asin`, `title`, `brand` and a list of categories. Tested on
files in the published layout only, not on the published files themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from regraft.data.interactions import Batch, Catalogue
from regraft.data.readers._amazon import described, has_keys, metadata, reviews
from regraft.data.readers._files import Source, files

EXPECTED = (
    "one JSON object per line with reviewerID, asin, overall and unixReviewTime, e.g. "
    '{"reviewerID": "A1", "asin": "B001", "overall": 5.0, "unixReviewTime": 1514764800}'
)
KEYS = {"user_id": "reviewerID", "item_id": "asin", "value": "overall", "timestamp": "unixReviewTime"}
ITEM_KEYS = {"item_id": "asin", "title": "title", "brand": "brand", "category": "category"}


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is not the format."""
    return "Amazon reviews of 2014 or 2018: JSON lines with reviewerID and asin" if has_keys(path, KEYS) else None


def interactions(path: Path, *, now: datetime | None = None) -> Iterator[Batch]:
    """The reviews, in file order; `now` (default: the present) decides which times lie in the future."""
    return reviews(path, KEYS, "s", now)


def catalogue(path: Path, *, file: Path | None = None) -> Catalogue:
    """`item_id, title, brand, category` from the metadata in `file`, or beside the log, and its unreadable lines.

    No rows where there is no metadata.
    """
    return described(metadata(path, file), ITEM_KEYS)


def items(path: Path, *, file: Path | None = None) -> pl.LazyFrame:
    """The items of `catalogue`."""
    return catalogue(path, file=file).items.lazy()


def sources(path: Path, *, file: Path | None = None) -> list[Path]:
    """The files that are read."""
    return files(Source(path), metadata(path, file))
