"""The files that reading a log reads: no command writes onto them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regraft import plugins
from regraft.data.ingest import detect, options_for
from regraft.data.source import DataOptions
from regraft.errors import RegraftError


def log_files(path: Path, reader: str | None = None, mapping: Mapping[str, Any] | None = None) -> list[Path]:
    """The log at `path` and the item file that is read with it.

    The path as it is given where a reader does not name its files, or where nobody can read it.
    """
    named = [Path(str(value)) for key, value in (mapping or {}).items() if key == "items" and value]
    try:
        name = reader or ("table" if mapping is not None else detect(path)[0])
        sources = getattr(plugins.load("readers", name), "sources", None)
        found = sources(path, **options_for(sources, {"mapping": mapping})) if sources else []
    except RegraftError:  # reading will say what is wrong
        found = []
    return [*(found or [Path(path)]), *named, *([Path(path)] if Path(path).is_file() else [])]


def data_files(options: DataOptions) -> list[Path]:
    """The files that a `data:` section reads; none for a simulated log."""
    return log_files(options.path, options.reader, options.mapping) if options.path else []
