"""Opens what a reader is given: a plain file, a gzip file, a folder, or a zip that holds the same files.

Content decides: gzip and zip are known by their first bytes, not by their names. Whatever cannot be
read becomes one `DataError` that names the file.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from regraft.errors import DataError

HEAD = 65_536  # bytes a sniffer looks at
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Source:
    """One file to read: `path` on disk, or `member` inside the zip at `path`."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return PurePosixPath(self.member).name or self.path.name

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The bytes, decompressed; a damaged or missing file raises DataError whenever it shows."""
        try:
            if self.member:
                with zipfile.ZipFile(self.path) as archive, _member(archive, self.member) as stream:
                    yield stream
            else:
                with self.path.open("rb") as plain:
                    zipped = plain.read(2) == b"\x1f\x8b"
                    plain.seek(0)
                    yield cast(IO[bytes], gzip.GzipFile(fileobj=plain)) if zipped else plain
        except UNREADABLE as error:
            raise _unreadable(self.path, error, self.member) from error

    def head(self) -> list[bytes]:
        """The first lines, for sniffing; empty where nothing can be read."""
        data = b""
        with suppress(DataError), self.open() as stream:
            while len(data) < HEAD and (chunk := stream.read(4096)):
                data += chunk
        lines = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n")
        # A line cut off at HEAD must not be judged.
        return lines[:-1] if len(data) >= HEAD and len(lines) > 1 else lines

    def check(self) -> None:
        """Raises DataError where not even the beginning can be read."""
        with self.open() as stream:
            stream.read(HEAD)

    def text_lines(self) -> list[str]:
        """All lines that are not blank: UTF-8, or ISO-8859-1 where they are not (old MovieLens titles)."""
        with self.open() as stream:
            data = stream.read().removeprefix(b"\xef\xbb\xbf")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("iso-8859-1")
        # Not splitlines(): ISO-8859-1 holds characters that it takes for line ends.
        return [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]


def log_file(path: Path, name: str) -> Source | None:
    """The log: `path` itself, or the file `name` in the folder or zip at `path`."""
    return find(path, name) if path.is_dir() or is_zip(path) else Source(path)


def find(path: Path, name: str) -> Source | None:
    """The file `name` in the folder or zip at `path` (one folder down at most), or beside the file `path`.

    A damaged zip raises DataError.
    """
    if is_zip(path):
        try:
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.namelist() if PurePosixPath(m).name == name]
        except UNREADABLE as error:
            raise _unreadable(path, error) from error
        return Source(path, min(members, key=len)) if members else None
    folder = path if path.is_dir() else path.parent
    candidates = [folder / name, *(sorted(folder.glob(f"*/{name}")) if path.is_dir() else [])]
    return next((Source(candidate) for candidate in candidates if candidate.is_file()), None)


def is_zip(path: Path) -> bool:
    """Whether the file starts like a zip, complete or not."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def files(*sources: Source | None) -> list[Path]:
    """The files on disk behind some sources, each once, in order."""
    return list(dict.fromkeys(source.path for source in sources if source))


def no_log(path: Path, name: str) -> DataError:
    """The error for a folder or zip that lacks its log."""
    return DataError(str(path), f"holds no {name}", f"a folder or zip with {name}, or that file itself")


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        return archive.open(name)
    except RuntimeError as error:  # encrypted, or compressed in an unknown way
        raise OSError(str(error)) from error


def _unreadable(path: Path, error: Exception, member: str = "") -> DataError:
    reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return DataError(
        str(path),
        f"cannot be read: {reason}" + (f" (in {member})" if member else ""),
        "a complete, readable file",
        "Check the path, or fetch the file again.",
    )
