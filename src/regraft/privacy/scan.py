"""Looking for a person everywhere: every file of a site decoded as far as it can be, and searched for given strings."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from regraft.lm.owner import owner_of
from regraft.output_paths import inside
from regraft.setup.site import Site

STORES = {
    "data": "data", "versions": "versions", "cache": "cache", "spool": "spool", "reports": "reports",
}  # fmt: skip


def scan(site: Site, wanted: Iterable[str]) -> dict[str, int]:
    """Files per store in which any of the strings stands: 0 where none does. SQLite's pages and WAL are `state`."""
    hits = Counter(dict.fromkeys((*STORES, "state"), 0))
    for path in holding(site, wanted):
        ours = path.is_relative_to(site.folder)
        hits[STORES.get(path.relative_to(site.folder).parts[0], "state") if ours else "cache"] += 1
    return dict(hits)


def holding(site: Site, wanted: Iterable[str]) -> Iterator[Path]:
    """The files in which any of the strings stands, or the hash by which kept states and scores know a person."""
    needles = [needle for one in wanted if one for needle in (one.encode(), owner_of(one).tobytes())]
    for path in (path for root in _roots(site) for path in sorted(root.rglob("*"))):
        if path.is_file() and any(needle in part for part in _decoded(path) for needle in needles):
            yield path


def _roots(site: Site) -> list[Path]:
    """The site's folder, and where its states are kept if that lies elsewhere."""
    kept = Path(site.options.cache.folder or site.cache)
    return [site.folder] if inside(kept, site.folder) else [site.folder, kept]


def _decoded(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they stand for where they are packed."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        for column in pl.read_parquet(path).select(pl.col(pl.String)):
            yield "\n".join(column.drop_nulls().unique()).encode()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                content = packed.read(name)
                yield content
                if name.endswith(".npy"):
                    yield _strings(content)


def _strings(content: bytes) -> bytes:
    """The text in an array of strings: NumPy keeps four bytes per character."""
    from io import BytesIO

    array = np.load(BytesIO(content), allow_pickle=False)
    return "\n".join(array.ravel().tolist()).encode() if array.dtype.kind == "U" else b""
