"""What is older than its store may be, where files alone say so: the spool, rows set aside, caches, reports, logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from regraft.data import spool
from regraft.release.journal import FOLDER as LOGS
from regraft.release.runs import date_of
from regraft.setup.site import Site

SPOOLED = ("events", "lists")
BASE = "nano-"  # begins the names of base models in the cache: they belong to the versions that were built on them
PROOFS = "erasure-"  # begins the names of proofs among the reports


@dataclass(frozen=True)
class Due:
    """How much of a store may be kept no longer, in its unit, and the day of the oldest (empty: nothing is due)."""

    store: str
    unit: str
    count: int
    oldest: str


def spool_due(site: Site, as_of: int, kind: str) -> Due:
    """Lines of the events or of the lists."""
    age = site.options.retention.spool.age
    if age is None:
        return Due("spool", kind, 0, "")
    times = [row["time"] for one in spool.segments(site.spool / kind) for row in spool.read(one)]
    old = [one for one in times if one < as_of - age]
    return Due("spool", kind, len(old), date_of(min(old)) if old else "")


def files_due(site: Site, name: str, at: int) -> Due:
    """Files or folders of a store that goes by when they were written; `at` in ms."""
    old = list(OF_FILES[name](site, site.options.retention.of(name).age, at))
    return Due(name, "files", len(old), date_of(min(round(_written(p) * 1000) for p in old)) if old else "")


def _older(paths: Iterable[Path], age: int | None, at: int) -> list[Path]:
    return [] if age is None else [path for path in paths if _written(path) * 1000 < at - age]


def _written(path: Path) -> float:
    """When a file, or the newest file of a folder, was last written."""
    inside = path.rglob("*") if path.is_dir() else ()
    return max((one.stat().st_mtime for one in (path, *inside) if one.exists()), default=time.time())


def _aside(site: Site, age: int | None, at: int) -> list[Path]:
    return _older(sorted((site.spool / "aside").glob("*")), age, at)


def _cache(site: Site, age: int | None, at: int) -> list[Path]:
    """Files of the cache but base models, and what says which model a folder of states is of."""
    found = (path for path in sorted(site.cache.rglob("*")) if path.is_file() and path.name != "cache.json")
    return _older((p for p in found if not p.relative_to(site.cache).parts[0].startswith(BASE)), age, at)


def _staging(site: Site, age: int | None, at: int) -> list[Path]:
    return _older(sorted(site.staging.glob("*")), age, at)


def _reports(site: Site, age: int | None, at: int) -> list[Path]:
    own = (p for p in sorted(site.reports.glob("*")) if p.name != LOGS and not p.name.startswith(PROOFS))
    return _older(own, age, at)


def _logs(site: Site, age: int | None, at: int) -> list[Path]:
    days = sorted((site.reports / LOGS).glob("*.jsonl"))
    return [] if age is None else [path for path in days if path.stem < date_of(at - age)]


OF_FILES: dict[str, Callable[[Site, int | None, int], list[Path]]] = {
    "aside": _aside, "cache": _cache, "staging": _staging, "reports": _reports, "logs": _logs,
}  # fmt: skip
