"""Amazon Reviews 2023 (Hou et al., arXiv 2403.03952): JSON lines, plain or gzip, with metadata beside them.

Source: https://amazon-reviews-2023.github.io/. Reviews carry `user_id`, `parent_asin`, `rating` (1-5) and
`timestamp` in milliseconds UTC. Metadata is `meta_<category>.jsonl[.gz]` with `parent_asin`, `title`, `store`
(the brand), `main_category` and `categories`. Tested on files in the published layout only; real rows of
this data set were read as Parquet, with the reader `table`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from regraft.data.interactions import Batch, Catalogue
from regraft.data.readers._amazon import described, has_keys, metadata, reviews
from regraft.data.readers._files import Source, files

EXPECTED = (
    "one JSON object per line with user_id, parent_asin, rating and timestamp, e.g. "
    '{"user_id": "AH1", "parent_asin": "B07", "rating": 5.0, "timestamp": 1588687728923}'
)
KEYS = {"user_id": "user_id", "item_id": "parent_asin", "value": "rating", "timestamp": "timestamp"}
ITEM_KEYS = {
    "item_id": "parent_asin",
    "title": "title",
    "brand": "store",
    "category": "categories",
    "main": "main_category",
}


def sniff(path: Path) -> str | None:
    """What was recognised, in words; None where this is not the format."""
    return "Amazon reviews of 2023: JSON lines with user_id and parent_asin" if has_keys(path, KEYS) else None


def interactions(path: Path, *, now: datetime | None = None) -> Iterator[Batch]:
    """The reviews, in file order; `now` (default: the present) decides which times lie in the future."""
    return reviews(path, KEYS, "ms", now)


def catalogue(path: Path, *, file: Path | None = None) -> Catalogue:
    """`item_id, title, brand, category` from the metadata in `file`, or beside the log, and its unreadable lines.

    Where an item has no categories, its main category stands in. No rows where there is no metadata.
    """
    found = described(metadata(path, file), ITEM_KEYS)
    category = pl.coalesce("category", "main").alias("category")
    return replace(found, items=found.items.select("item_id", "title", "brand", category))


def items(path: Path, *, file: Path | None = None) -> pl.LazyFrame:
    """The items of `catalogue`."""
    return catalogue(path, file=file).items.lazy()


def sources(path: Path, *, file: Path | None = None) -> list[Path]:
    """The files that are read."""
    return files(Source(path), metadata(path, file))
