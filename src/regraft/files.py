"""The one way to write files and folders: each appears whole or not at all, and never in the place of an input.

`whole` and `whole_folder` write beside the target and rename. `output` is the guard of paths that a user gives:
a command writes neither onto what it reads nor, unasked, onto what regraft did not write. Errors of the
operating system become an OutputError that names the path and says what to do.

Several processes may work in one folder, on several machines that share it: what each prepares carries the
name of its machine and process.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regraft.errors import OutputError, RegraftError

HERE = hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()
WRITER = re.compile(r"(?:old\.)?([0-9a-f]{8})-(\d+)")
RENAME_EXCHANGE = 2
LONG = 24 * 3600.0  # seconds after which nobody believes that another machine is still writing
MARK = "made by regraft"  # stands in files that are written for people: such a file may be replaced by a newer one
ENDS = 65_536  # bytes at either end of a file in which the mark is looked for
OS_ERROR = re.compile(r"\(os error (\d+)\)")  # how libraries written in Rust report an error of the system
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


# -- writing -----------------------------------------------------------------------------------------


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
            _remove(staging)
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
            _remove(staging)
            return
        if target.is_dir() and _swap(staging, target):  # at every moment one of the two stands there
            _remove(staging)
            return
    _remove(aside)
    if os.path.lexists(target):
        target.rename(aside)
    staging.rename(target)
    _remove(aside)


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


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it; it may be absent."""
    _remove(path)


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


# -- the guard ---------------------------------------------------------------------------------------


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
            raise _refused(path, OSError(errno.EACCES if above.is_dir() else errno.ENOTDIR, ""))
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


# -- errors of the system ----------------------------------------------------------------------------


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
            raise _refused(path, OSError(int(found[1]), os.strerror(int(found[1])))) from error
        if not isinstance(error, OSError):
            raise
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> OutputError:
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


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
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
