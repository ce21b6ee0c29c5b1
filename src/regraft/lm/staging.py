"""Files and folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path


def staging_for(target: Path) -> Path:
    """Where this process prepares `target`; what killed processes left beside it is removed first."""
    remove_leftovers(target)
    staging = target.with_name(f"{target.name}.{os.getpid()}.part")
    _remove(staging)
    return staging


def remove_leftovers(target: Path) -> None:
    """Removes what processes that no longer run had prepared for `target`."""
    for path in target.parent.glob(f"{glob.escape(target.name)}.*.part"):
        writer = path.name.removeprefix(f"{target.name}.").removesuffix(".part")
        if writer.isdigit() and not _runs(int(writer)):
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
