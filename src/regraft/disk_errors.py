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

OS_ERROR = re.compile(r"\(os error (\d+)\)")  # how libraries written in Rust report an error of the system
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
    where, number = f"output '{path}'", error.errno
    if number in FULL:
        why = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your quota of the disk is used up"}
        why[errno.EFBIG] = "it is larger than a file may be here"
        return OutputError(
            where, f"cannot be written: {why[number]}{_free(path)}", "room for it",
            "Make room there, or choose another place; the same command then goes on from what is finished",
        )  # fmt: skip
    if number in FORBIDDEN:
        reason = "the file system is read-only" if number == errno.EROFS else "you may not write there"
        return OutputError(where, f"cannot be written: {reason}", "a folder that you may write to")
    if number == errno.EISDIR:
        return OutputError(where, "is a folder", "the name of a file")
    if number in (errno.ENOTDIR, errno.EEXIST):
        return OutputError(where, "cannot be written: a file stands where a folder is needed", "a path through folders")
    if number == errno.ENAMETOOLONG:
        return OutputError(f"output '{str(path)[:80]}...'", "cannot be written: its name is too long", "a shorter name")
    return OutputError(where, f"cannot be written: {error.strerror or error}", "a place that can be written to")


def _free(path: Path) -> str:
    with suppress(OSError, StopIteration):
        folder = next(one for one in path.absolute().parents if one.is_dir())
        return f", {shutil.disk_usage(folder).free / 2**20:,.1f} MiB are free in '{folder}'"
    return ""
