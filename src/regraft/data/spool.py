"""The spool: JSON lines on disk between a server and the next update. An event is acknowledged when it is on the disk.

A writer appends to a segment of its own and begins a new one when it is full; whoever reads takes all whole lines
of all segments. What was taken in is known by its identity, so a segment may be read many times, and is removed
when nothing in it is new.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any

from regraft.disk_errors import told
from regraft.errors import DataError
from regraft.files import write_text

FULL = 16 * 2**20  # bytes after which a segment is finished
SUFFIX = ".jsonl"
_json = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make an encoder per line


class Spool:
    """Appends lines to segments in a folder; several threads may use one spool, several processes one folder."""

    def __init__(self, folder: Path, full: int = FULL) -> None:
        self.folder, self.full = folder, full
        self._name, self._count = f"{time.time_ns():019d}-{secrets.token_hex(3)}", 0  # sorts as servers were started
        self._file: FileIO | None = None
        self._waiting = False  # lines that the system has and the disk may not
        self._lock = Lock()

    def append(self, rows: Iterable[Mapping[str, Any]], wait: bool = True) -> None:
        """Writes the rows; they are on the disk when this returns. After an error none of them counts.

        Without `wait` the system has them: they outlive this process, and the machine from the next `sync` on.
        """
        written = _lines(rows)
        if not written:
            return
        with self._lock, told(self.folder):
            file = self._open()
            begins = file.tell()
            try:
                left = memoryview(written)
                while left:  # a disk that is nearly full takes a part
                    left = left[file.write(left) :]
                if wait:
                    os.fsync(file.fileno())
            except OSError:  # a failed fsync cannot be tried again: the segment is closed without these lines
                self._give_up(begins)
                raise
            self._waiting = not wait
            if file.tell() >= self.full:
                self.close()

    def sync(self) -> None:
        """Waits until all lines are on the disk, and holds up no writer meanwhile."""
        with self._lock:
            if self._file is None or not self._waiting:
                return
            self._waiting, handle = False, os.dup(self._file.fileno())
        with told(self.folder):
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def close(self) -> None:
        """Finishes the segment; the next line begins another."""
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                if self._waiting:
                    self._waiting = False
                    os.fsync(file.fileno())

    def finish(self) -> None:
        """Closes from another thread, between two appends."""
        with self._lock:
            self.close()

    def _open(self) -> FileIO:
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._count += 1
            self._file = (self.folder / f"{self._name}-{self._count:06d}{SUFFIX}").open("ab", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_SH)  # says that somebody writes here, until it is closed
            handle = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(handle)  # the name of the new segment
            finally:
                os.close(handle)
        return self._file

    def _give_up(self, begins: int) -> None:
        assert self._file is not None
        try:
            os.ftruncate(self._file.fileno(), begins)
        finally:
            file, self._file = self._file, None
            file.close()


def segments(folder: Path) -> list[Path]:
    """All segments: those of one writer as it wrote them, after those of a writer that began earlier."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read(segment: Path) -> list[dict[str, Any]]:
    """The whole lines of a segment; half a line at its end was never acknowledged."""
    return list(lines(segment))


def lines(segment: Path) -> Iterator[dict[str, Any]]:
    """As `read`, one line in memory at a time."""
    with segment.open("rb") as file:
        yield from (json.loads(line) for line in file if line.endswith(b"\n"))


def drop(folder: Path, unwanted: Callable[[Mapping[str, Any]], bool], wait: float = 10.0) -> int:
    """Takes lines out of all segments; gives how many. A segment that a server writes is waited for.

    A server finishes its segment when it hears of an erasure. Raises DataError where one did not in `wait` seconds.
    """
    dropped = 0
    for segment in segments(folder):
        if any(unwanted(row) for row in lines(segment)):
            with _finished(segment, wait):
                rows = read(segment)  # it may have grown while we waited
                kept = [row for row in rows if not unwanted(row)]
                write_text(segment, _lines(kept).decode())
            dropped += len(rows) - len(kept)
    return dropped


def remove_finished(segment: Path, size: int) -> bool:
    """Deletes a segment of `size` bytes unless it has grown, or a server still writes to it; whether it did."""
    with segment.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        if os.fstat(file.fileno()).st_size != size:
            return False
        segment.unlink()
        return True


@contextmanager
def _finished(segment: Path, wait: float) -> Iterator[None]:
    """Inside, no server writes to the segment."""
    until = time.monotonic() + wait
    with segment.open("rb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > until:
                    raise DataError(
                        "spool segment '{segment}'", "is still being written", "a server that has finished it",
                        "Stop the server, or start one of this version, and run the same command again",
                        segment=segment,
                    ) from error  # fmt: skip
                time.sleep(0.05)
        yield


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(_json(row) + "\n" for row in rows).encode()
