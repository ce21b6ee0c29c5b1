"""What runs have kept on disk, seen from outside a run: counted, aged out, and one person's taken away.

Two kinds of folders: `trunk-...` with states below the adapted layers, and `kept` with scores, states and fits. All
but fits know whose they are. A fit has learnt from many people at once, and none of them can be taken out of it: where
a person is removed, all fits go. No run may be at work there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from regraft.errors import ModelError
from regraft.files import remove
from regraft.lm.kept_scores import KeptScores
from regraft.lm.options import GIB
from regraft.lm.owner import owned_by
from regraft.lm.trunk import trunk_store
from regraft.lm.trunk.shard import shard_files
from regraft.lm.trunk.trunk_store import META

KEPT, FITS, BY_ROW = "kept", "fits", ("scores", "states")
OURS = re.compile(r"[0-9a-f]{32}(\..+)?")  # names that `Workshop.key` gives: no other file is ever removed


@dataclass(frozen=True)
class Held:
    """One kind of thing in one folder: `count` tokens, rows or fits; `newest` is when it was last added to."""

    folder: Path
    kind: str  # tokens, scores, states or fits
    count: int
    bytes: int
    newest: float | None
    made_for: dict[str, Any] = field(default_factory=dict)


def within(folder: Path) -> list[Path]:
    """The folders of caches and kept results in a folder of runs or in one run, or the folder itself.

    Raises ModelError where there is no such folder, or a cache in it cannot be read.
    """
    if not folder.is_dir():
        raise ModelError(f"folder '{folder}'", "is not there", "the folder that runs are written to")
    if folder.name == KEPT or (folder / META).is_file():
        found = [folder]
    else:
        found = [*sorted(meta.parent for meta in folder.glob(f"trunk-*/{META}")), folder / KEPT]
        found += sorted(folder.glob(f"*/{KEPT}"))
    for one in found:
        if one.name != KEPT:
            trunk_store.described(one)
    return [one for one in found if one.name != KEPT or _units(one)]


def held(folder: Path) -> Iterator[Held]:
    """What lies in one of these folders, by kind, states unread."""
    if folder.name != KEPT:
        store = trunk_store.opened(folder)
        tokens = sum(len(shard.states) for shard in store.shards)
        yield Held(folder, "tokens", tokens, *_size(shard_files(folder)), dict(trunk_store.described(folder)))
        return
    for kind in BY_ROW:
        if found := _arrays(folder, kind):
            yield Held(folder, kind, sum(len(KeptScores.load(path).rows) for path in found), *_size(found))
    if fits := _fits(folder):
        yield Held(folder, FITS, _count(folder), *_size(fits))


def forget_owner(folder: Path, owner: np.ndarray) -> tuple[int, int]:
    """Removes one owner's [2] parts or rows from one of these folders, and all fits; how many parts and fits."""
    if folder.name != KEPT:
        return trunk_store.opened(folder).forget(owner[None]), 0
    rows = 0
    for path in (path for kind in BY_ROW for path in _arrays(folder, kind)):
        kept = KeptScores.load(path)
        mine = int(owned_by(kept.owners, owner).sum())
        if mine == len(kept.rows):  # nobody else's, or a file that cannot be read
            remove(path)
        elif mine:
            kept.without(owner).save(path)
        rows += mine
    fits = _count(folder)
    for unit in _fits(folder):
        remove(unit)
    return rows, fits


def prune(folders: Sequence[Path], days: float | None, gib: float | None) -> dict[Path, int]:
    """Removes what was written more than `days` ago, then the oldest beyond `gib`; gives its bytes. Empty caches go."""
    there = {unit: _size([unit]) for folder in folders for unit in _units(folder)}
    removed: dict[Path, int] = {}
    total = sum(size for size, _ in there.values())
    for unit, (size, newest) in sorted(there.items(), key=lambda each: (each[1][1] or 0.0, each[0].name)):
        old = days is not None and time.time() - (newest or 0.0) > days * 86400
        if old or (gib is not None and total > gib * GIB):
            remove(unit)
            removed[unit] = size
            total -= size
    for folder in folders:
        if folder.name != KEPT and not shard_files(folder):
            remove(folder / META)
            with suppress(OSError):  # what others put there stays
                folder.rmdir()
    return removed


def _units(folder: Path) -> list[Path]:
    """What can be removed one by one, and is whole or gone."""
    if folder.name != KEPT:
        return list(shard_files(folder))
    return [*(path for kind in BY_ROW for path in _arrays(folder, kind)), *_fits(folder)]


def _fits(folder: Path) -> list[Path]:
    """Adapters, what each of them took, and checkpoints."""
    return [path for path in sorted((folder / FITS).glob("*")) if OURS.fullmatch(path.name)]


def _count(folder: Path) -> int:
    return sum((fit / "manifest.json").is_file() for fit in _fits(folder))


def _arrays(folder: Path, kind: str) -> list[Path]:
    return [path for path in sorted((folder / kind).glob("*.npz")) if OURS.fullmatch(path.name)]


def _size(units: Sequence[Path]) -> tuple[int, float | None]:
    """(bytes, when the newest file was written) of files and folders."""
    inside = (path for unit in units for path in (unit.rglob("*") if unit.is_dir() else (unit,)))
    stats = [path.stat() for path in inside if path.is_file()]
    return sum(stat.st_size for stat in stats), max((stat.st_mtime for stat in stats), default=None)
