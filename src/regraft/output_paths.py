"""The guard of paths that a user gives.

A command writes neither onto what it reads nor, unasked, onto what regraft did not write.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from regraft.disk_errors import refused, told
from regraft.errors import OutputError

MARK = "made by regraft"  # stands in files that are written for people: such a file may be replaced by a newer one
ENDS = 65_536  # bytes at either end of a file in which the mark is looked for


def output(path: Path, reads: Iterable[Path] = (), force: bool | None = False, mark: str = MARK) -> Path:
    """The path, where a command may write a file to it; OutputError says why it may not.

    `reads` are files and folders that the command reads: none of them is ever replaced, under whatever name or
    link. Another file that is there, and not empty, is replaced with `force` (None: the command has no such
    option), or where it holds `mark` (a pattern that tells what regraft wrote; "" matches none).
    """
    with told(path):
        for read in reads:
            if clash := _clash(path, read):
                raise OutputError(f"output '{path}'", clash, "a name of its own for what is written")
        if path.is_dir():
            raise OutputError(f"output '{path}'", "is a folder", "the name of a file")
        if path.exists() and not path.is_file():
            raise OutputError(f"output '{path}'", "is no regular file", "the name of a file")
        if path.exists() and path.stat().st_size and not force and not _holds(path, mark):
            advice = "Choose another name" if force is None else "Choose another name, or replace it with --force"
            raise OutputError(f"output '{path}'", "is there already", "a new name", advice)
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise refused(path, OSError(errno.EACCES if above.is_dir() else errno.ENOTDIR, ""))
    return path


def same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder: through links, hard links, or the same spelling."""
    with suppress(OSError):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, or is that folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _clash(path: Path, read: Path) -> str:
    """Why writing to `path` would harm what is read, in words; empty where it would not."""
    if same(path, read):
        return "is a file that this command reads" + (f": '{read}'" if read != path else "")
    if not read.is_dir() or not inside(path, read):
        return ""
    if os.path.lexists(path):
        return f"is a file of the folder '{read}', which this command reads"
    if path.suffix in {one.suffix for one in read.iterdir() if one.is_file()}:
        return f"would be one more file of the folder '{read}', which this command reads"
    return ""


def _holds(path: Path, mark: str) -> bool:
    """Whether the mark stands near the beginning or the end of a file."""
    if not mark:
        return False
    with path.open("rb") as file:
        ends = file.read(ENDS)
        file.seek(max(0, path.stat().st_size - ENDS))
        ends += file.read()
    return re.search(mark.encode(), ends) is not None
