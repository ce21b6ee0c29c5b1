"""The files and folders that a configuration makes a command read: nothing is written onto them."""

from __future__ import annotations

from pathlib import Path

from regraft.data.inputs import data_files
from regraft.setup.config import ArenaConfig


def inputs(config: ArenaConfig, *files: Path) -> list[Path]:
    """Log, item file, base model and templates of the configuration, after `files` of the command itself.

    Names of the hub and of the library are no files.
    """
    named = (config.base.path, config.template, *(contender.template for contender in config.contenders))
    there = [Path(name) for name in named if name and Path(name).exists()]
    return [*files, *data_files(config.data), *dict.fromkeys(there)]
