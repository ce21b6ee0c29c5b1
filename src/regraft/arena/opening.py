"""Opens the arena that a configuration file describes."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from regraft.arena.compare import Arena
from regraft.arena.config import ArenaConfig

RUNS = Path("runs")  # where runs go that were given no folder


def open_arena(config: Path, folder: Path | None = None) -> tuple[Arena, float]:
    """The arena and the seconds it took to read its log; `folder` defaults to runs/NAME."""
    began = perf_counter()
    read = ArenaConfig.read(config)
    return Arena(read, folder or RUNS / (Path(read.name).name or "arena")), perf_counter() - began
