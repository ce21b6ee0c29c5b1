"""The one way to write files and folders: each appears whole or not at all.

`whole` and `whole_folder` write beside the target and rename.

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

from regraft.disk_errors import told

HERE = hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()
WRITER = re.compile(r"(?:old\.)?([0-9a-f]{8})-(\d+)")
RENAME_EXCHANGE = 2
LONG = 24 * 3600.0  # seconds after which nobody believes that another machine is still writing


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes beside the path and renames: a killed run leaves the old file or the new one, never half of one.

    `write` gets the path to write to. After an error the old file stands, and nothing lies beside it. A symbolic
    link stays: the file it leads to is replaced. Raises OutputError where the system refuses.
    """
    with _prepared(path) as (place, part):
        write(part)
        part.replace(place)


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8, whole or not at all."""
    whole(path, lambda part: part.write_bytes(text.encode()))


@contextmanager
def durable(path: Path) -> Iterator[None]:
    """What is written to `path` inside, or renamed to it, is on the disk when this ends: the file and its name."""
    with told(path):
        yield
        for place in (path, path.parent):
            handle = os.open(place, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@contextmanager
def whole_folder(target: Path, last: str = "", old: Path | None = None) -> Iterator[Path]:
    """Gives an empty folder to write into. At the end it takes the target's place; after an error it is removed.

    `last` and `old` are those of `put_in_place`. Raises OutputError where the system refuses.
    """
    with _prepared(target) as (place, staging):
        staging.mkdir()
        yield staging
        put_in_place(staging, place, last, old)


@contextmanager
def _prepared(target: Path) -> Iterator[tuple[Path, Path]]:
    """(where the target really lies, where to prepare it); what was prepared is removed after an error."""
    with told(target):
        place = Path(os.path.realpath(target))
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
        staging = staging_for(place)
        try:
            yield place, staging
        except BaseException:
            remove(staging)
            raise


def put_in_place(staging: Path, target: Path, last: str = "", old: Path | None = None) -> None:
    """Renames a prepared folder to `target`, in the place of a folder that is there.

    With `last`, a target that holds this file is whole: another process was faster, and its folder stays. The
    folder that is replaced is kept as `old` until the new one stands.
    """
    aside = old or target.with_name(f"{target.name}.old.{HERE}-{os.getpid()}.part")
    if old is None:
        with suppress(OSError):  # nothing there, or an empty folder
            staging.rename(target)
            return
        if last and (target / last).is_file():
            remove(staging)
            return
        if target.is_dir() and _swap(staging, target):  # at every moment one of the two stands there
            remove(staging)
            return
    remove(aside)
    if os.path.lexists(target):
        target.rename(aside)
    staging.rename(target)
    remove(aside)


def staging_for(target: Path) -> Path:
    """Where this process prepares `target`; what killed processes left beside it is removed first."""
    remove_leftovers(target)
    staging = target.with_name(f"{target.name}.{HERE}-{os.getpid()}.part")
    remove(staging)
    return staging


def remove_leftovers(target: Path) -> None:
    """Removes what processes that no longer run had prepared for `target`.

    Whether a process of another machine runs cannot be seen from here: what it prepared stays for a day.
    """
    for path in target.parent.glob(f"{glob.escape(target.name)}.*.part"):
        writer = WRITER.fullmatch(path.name.removeprefix(f"{target.name}.").removesuffix(".part"))
        if writer and (not _runs(int(writer[2])) if writer[1] == HERE else _older(path, LONG)):
            remove(path)


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it; it may be absent."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Inside, no other process is inside under the same path; a killed one lets go.

    On a file system without locks all go in: they do the same work twice, and put the same result in its place.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    with file:
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
