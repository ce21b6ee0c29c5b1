"""A drift world as files that the table reader knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data.drift_world import DriftWorld, simulate
from regraft.files import whole
from regraft.output_paths import MARK, output

LOG, ITEMS = "interactions.parquet", "items.parquet"


def write_drift_world(folder: Path, settings: Mapping[str, Any], force: bool = False) -> tuple[Path, int]:
    """The path of the log written into `folder`, and its rows; the items lie beside it.

    `settings` are fields of DriftWorld. The log appears last, when everything else is there. A log that was not
    simulated is replaced with `force` only.
    """
    for name in (LOG, ITEMS):
        output(folder / name, force=force)
    world = simulate(DriftWorld.of(settings))
    log = world.interactions.drop("line")

    def write(part: Path) -> None:
        _write(log, part)
        whole(folder / ITEMS, lambda items: _write(world.items, items))

    whole(folder / LOG, write)  # renamed last: it is there, so the items are
    return folder / LOG, len(log)


def _write(frame: pl.DataFrame, part: Path) -> None:
    frame.write_parquet(part, metadata={"regraft": MARK})
