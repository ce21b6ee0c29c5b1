"""Versions on disk: an immutable folder each, with a manifest of every file in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regraft.data.store import sha256
from regraft.errors import ModelError
from regraft.files import durable, remove
from regraft.said import Said

MANIFEST = "manifest.json"


def publish(staged: Path, target: Path, about: Mapping[str, Any]) -> str:
    """Gives a staged folder its immutable name, all of it on the disk; returns the sha256 of its manifest.

    A folder of this name whose manifest says the same stands already: a killed update left it.
    """
    files = {str(f.relative_to(staged)): sha256(f) for f in sorted(staged.rglob("*")) if f.is_file()}
    files.pop(MANIFEST, None)
    manifest = staged / MANIFEST
    manifest.write_text(json.dumps({"files": files, **about}, indent=2, sort_keys=True), encoding="utf-8")
    for path in sorted(staged.rglob("*")):
        if path.is_file():
            with durable(path):
                pass
    digest = sha256(manifest)
    if target.exists():  # not in the database: no commit has named it
        remove(target)
    with durable(target):
        os.rename(staged, target)
    return digest


def verify(folder: Path, manifest: str) -> None:
    """ModelError where a version's folder is not, to the byte, what was published under this manifest."""
    path = folder / MANIFEST
    if not path.is_file() or sha256(path) != manifest:
        raise _damaged(folder, Said("{file} is missing or was changed", file=MANIFEST))
    files = json.loads(path.read_text(encoding="utf-8"))["files"]
    for name, digest in files.items():
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            raise _damaged(folder, Said("{file} is missing or was changed", file=name))
    there = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()} - {MANIFEST}
    if extra := sorted(there - set(files)):
        raise _damaged(folder, Said("{file} was added", file=extra[0]))


def _damaged(folder: Path, found: str) -> ModelError:
    return ModelError(
        "version '{version}'", found, "the files as they were published",
        "Go back to another version with: regraft rollback SITE VERSION", version=folder.name,
    )  # fmt: skip
