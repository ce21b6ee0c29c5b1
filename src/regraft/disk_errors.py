"""Errors of the operating system in our words: each becomes an OutputError that names the path and says what to do."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regraft.errors import OutputError, RegraftError
from regraft.said import Said

OS_ERROR = re.compile(r"\(os error (\d+)\)")  # how libraries written in Rust report an error of the system
NO_ROOM = {
    errno.ENOSPC: Said("the disk is full"),
    errno.EDQUOT: Said("your quota of the disk is used up"),
    errno.EFBIG: Said("it is larger than a file may be here"),
}
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns errors of the operating system into an OutputError that names `path` and says what to do."""
    try:
        yield
    except RegraftError:
        raise
    except Exception as error:
        found = OS_ERROR.search(str(error))
        if found and not getattr(error, "errno", None):
            raise refused(path, OSError(int(found[1]), os.strerror(int(found[1])))) from error
        if not isinstance(error, OSError):
            raise
        raise refused(path, error) from error


def refused(path: Path, error: OSError) -> OutputError:
    where, number = Said("output '{path}'", path=path), error.errno
    if number in NO_ROOM:
        return OutputError(
            where, "cannot be written: {why}{free}", "room for it",
            "Make room there, or choose another place; the same command then goes on from what is finished",
            why=NO_ROOM[number], free=_free(path),
        )  # fmt: skip
    if number in FORBIDDEN:
        read_only = number == errno.EROFS
        why = Said("the file system is read-only") if read_only else Said("you may not write there")
        return OutputError(where, "cannot be written: {why}", "a folder that you may write to", why=why)
    if number == errno.EISDIR:
        return OutputError(where, "is a folder", "the name of a file")
    if number in (errno.ENOTDIR, errno.EEXIST):
        return OutputError(where, "cannot be written: a file stands where a folder is needed", "a path through folders")
    if number == errno.ENAMETOOLONG:
        return OutputError(
            "output '{path}...'", "cannot be written: its name is too long", "a shorter name", path=str(path)[:80]
        )
    return OutputError(
        where, "cannot be written: {why}", "a place that can be written to", why=error.strerror or str(error)
    )


def _free(path: Path) -> str:
    with suppress(OSError, StopIteration):
        folder = next(one for one in path.absolute().parents if one.is_dir())
        room = shutil.disk_usage(folder).free / 2**20
        return Said(", {room:,.1f} MiB are free in '{folder}'", room=room, folder=folder)
    return ""
