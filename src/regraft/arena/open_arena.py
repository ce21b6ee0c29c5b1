"""The run that a configuration file, or a site's folder, describes."""

from __future__ import annotations

import time
from pathlib import Path

from regraft.arena.claim import may_write
from regraft.arena.compare import Arena
from regraft.arena.of_site import PLACE, is_site, site_config
from regraft.setup.config import SITE_FILE, ArenaConfig
from regraft.setup.inputs import inputs

RUNS = Path("runs")  # where runs go that were given no folder


def open_arena(config: Path, folder: Path | None = None) -> tuple[Arena, float]:
    """The arena that a configuration file describes, or a site's folder, and the seconds it took to read its log.

    `folder` defaults to runs/NAME, for a site to reports/arena in it.
    """
    began = time.perf_counter()
    if is_site(config):
        folder, read = folder or config / PLACE, site_config(config)
        config = config / SITE_FILE
    else:
        read = ArenaConfig.read(config)
    folder = folder or RUNS / (Path(read.name).name or "arena")
    may_write(folder, inputs(read, config))  # before the log is read
    arena = Arena(read, folder)
    arena.reads = (config,)
    return arena, time.perf_counter() - began
