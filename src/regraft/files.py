"""Files and folders that appear whole or not at all: written beside their place, then renamed into it.

Several processes may work in one folder, on several machines that share it: what each prepares carries the
name of its machine and process.
"""

from __future__ import annotations

import ctypes
import fcntl
import glob
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()
WRITER = re.compile(r"([0-9a-f]{8})-(\d+)")
RENAME_EXCHANGE = 2
LONG = 24 * 3600.0  # seconds after which nobody believes that another machine is still writing


def staging_for(target: Path) -> Path:
    """Where this process prepares `target`; what killed processes left beside it is removed first."""
    remove_leftovers(target)
    staging = target.with_name(f"{target.name}.{HERE}-{os.getpid()}.part")
    _remove(staging)
    return staging


def remove_leftovers(target: Path) -> None:
    """Removes what processes that no longer run had prepared for `target`.

    Whether a process of another machine runs cannot be seen from here: what it prepared stays for a day.
    """
    for path in target.parent.glob(f"{glob.escape(target.name)}.*.part"):
        writer = WRITER.fullmatch(path.name.removeprefix(f"{target.name}.").removesuffix(".part"))
        if writer and (not _runs(int(writer[2])) if writer[1] == HERE else _older(path, LONG)):
            _remove(path)


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes beside the path and renames: a killed run leaves the old file or the new one, never half of one."""
    part = staging_for(path)
    write(part)
    part.replace(path)


def exchange(staging: Path, target: Path) -> None:
    """Puts a prepared folder in the place of another: at every moment the old one or the new one stands there.

    Where the system cannot swap two folders in one step, the old one is moved aside first and put back if the new
    one cannot take its place.
    """
    if not target.exists():
        staging.rename(target)
    elif _swap(staging, target):
        _remove(staging)
    else:
        aside = staging.with_name(f"{staging.name}.old.part")
        _remove(aside)
        target.rename(aside)
        try:
            staging.rename(target)
        except OSError:
            aside.rename(target)
            raise
        _remove(aside)


def put_in_place(staging: Path, target: Path, last: str) -> None:
    """Renames a prepared folder; where `target` is there with its file `last`, another process was faster: it stays."""
    try:
        staging.rename(target)
    except OSError:
        if (target / last).is_file():
            _remove(staging)
            return
        _remove(target)
        staging.rename(target)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Inside, no other process is inside under the same path; a killed one lets go.

    On a file system without locks all go in: they do the same work twice, and put the same result in its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _swap(one: Path, other: Path) -> bool:
    """Exchanges the names of two folders in one step (Linux: renameat2); False where that cannot be done."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here = -100  # AT_FDCWD: paths as they are
    return bool(renameat2(here, os.fsencode(one), here, os.fsencode(other), RENAME_EXCHANGE) == 0)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _older(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime > seconds
    except FileNotFoundError:
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
