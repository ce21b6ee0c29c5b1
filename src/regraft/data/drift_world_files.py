"""A drift world as files that the table reader knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data.drift_world import DriftWorld, simulate

LOG, ITEMS = "interactions.parquet", "items.parquet"


def write_drift_world(folder: Path, settings: Mapping[str, Any]) -> tuple[Path, int]:
    """The path of the log written into `folder`, and its rows; the items lie beside it.

    `settings` are fields of DriftWorld. The log appears last, when everything else is there.
    """
    world = simulate(DriftWorld.of(settings))
    folder.mkdir(parents=True, exist_ok=True)
    _write(world.items, folder / ITEMS)
    log = world.interactions.drop("line")
    _write(log, folder / LOG)
    return folder / LOG, len(log)


def _write(frame: pl.DataFrame, path: Path) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    frame.write_parquet(partial)
    partial.replace(path)
