"""What the Amazon review files of all years share: JSON lines, and a metadata file beside the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from regraft.data.interactions import Batch, Catalogue, empty_quarantine
from regraft.data.readers._clock import Clock
from regraft.data.readers._files import Source
from regraft.data.readers._objects import fields_of, keys_of, words
from regraft.data.readers._rows import batches
from regraft.data.readers._tables import IDS, TYPED, table_of
from regraft.data.readers.lines import read_lines
from regraft.errors import DataError


def has_keys(path: Path, keys: Mapping[str, str]) -> bool:
    """Whether one of the first lines is an object with all these keys."""
    return any(set(keys.values()) <= set(keys_of(line)) for line in Source(path).head()[:20])


def reviews(path: Path, keys: Mapping[str, str], unit: str, now: datetime | None) -> Iterator[Batch]:
    """The reviews of a file, plain or gzip, in file order."""
    source = Source(path)
    with source.open() as stream:
        paths = {name: (key, "") for name, key in keys.items()}
        parts = (fields_of(lines, paths, IDS) for lines in read_lines(stream, source.name))
        yield from batches(parts, Clock(unit, now=now))


def metadata(path: Path, file: Path | None) -> Source | None:
    """The metadata of a log: `file`, or `meta_<category>` beside it; category as in the log's own name."""
    if file is not None:
        return Source(file)
    category = path.name.split(".")[0].removeprefix("reviews_")
    # 5-core files are named after the category, with the core behind it.
    for stem in (category, category.removesuffix("_5")):
        for ending in (".jsonl", ".jsonl.gz", ".json", ".json.gz"):
            candidate = path.with_name(f"meta_{stem}{ending}")
            if candidate.is_file():
                return Source(candidate)
    return None


def described(source: Source | None, keys: Mapping[str, str]) -> Catalogue:
    """The keys of every item as strings, lists of words as "a, b"; no rows where there is no metadata.

    Lines may be JSON, or Python literals as in the files of 2014.
    """
    if source is None:
        return Catalogue(pl.DataFrame(schema=dict.fromkeys(keys, pl.String)), empty_quarantine())
    source.check()
    table = table_of(source)
    paths = {name: (key, "") for name, key in keys.items()}
    parts = list(table.objects_of(paths)) if table and not table.separator and table.kind not in TYPED.values() else []
    frame = pl.concat([part.fields for part in parts]) if parts else pl.DataFrame()
    if frame.is_empty():
        raise DataError(
            str(source.path),
            "holds no JSON objects",
            f"one item per line with the keys {', '.join(keys.values())}",
            "Fetch the metadata again, or leave it out to go on without titles.",
        )
    named = ("item_id", "title")  # a title may begin like a list
    lists = [pl.Series(name, map(words, frame[name]), pl.String) for name in keys if name not in named]
    return Catalogue(frame.select(*named, *lists), pl.concat([part.rejected for part in parts]))
