"""Opens what a reader is given: a plain file, a packed file, a folder, or a zip that holds the same files.

Content decides: gzip, bzip2, xz and zip are known by their first bytes, not by their names, and UTF-16 by its
mark or its zero bytes. Whatever cannot be read becomes one `DataError` that names the file.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from regraft.errors import DataError

MOST_PARTS = 10_000  # files of one folder
HEAD = 65_536  # bytes a sniffer looks at
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
BOM = b"\xef\xbb\xbf"


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
        """The bytes, decompressed, UTF-16 as UTF-8; a damaged or missing file raises DataError whenever it shows."""
        try:
            if self.member:
                with zipfile.ZipFile(self.path) as archive, _member(archive, self.member) as stream:
                    yield _as_utf8(_unpacked(stream))
            else:
                with self.path.open("rb") as plain:
                    yield _as_utf8(_unpacked(plain))
        except UNREADABLE as error:
            raise _unreadable(self.path, error, self.member) from error

    def start(self) -> bytes:
        """The first bytes, at most HEAD; none where nothing can be read."""
        data = b""
        with suppress(DataError), self.open() as stream:
            while len(data) < HEAD and (chunk := stream.read(4096)):
                data += chunk
        return data

    def head(self) -> list[bytes]:
        """The first lines, for sniffing; empty where nothing can be read."""
        data = self.start()
        lines = one_line_end(data.removeprefix(BOM)).split(b"\n")
        # A line cut off at HEAD must not be judged.
        return lines[:-1] if len(data) >= HEAD and len(lines) > 1 else lines

    def check(self) -> None:
        """Raises DataError where not even the beginning can be read."""
        if is_zip(self.path):
            members(self.path)
            return
        with self.open() as stream:
            stream.read(HEAD)

    def text_lines(self) -> list[str]:
        """All lines that are not blank: UTF-8, or ISO-8859-1 where they are not (old MovieLens titles)."""
        with self.open() as stream:
            data = stream.read().removeprefix(BOM)
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
        named = [member for member in members(path) if PurePosixPath(member).name == name]
        return Source(path, min(named, key=len)) if named else None
    folder = path if path.is_dir() else path.parent
    candidates = [folder / name, *(sorted(folder.glob(f"*/{name}")) if path.is_dir() else [])]
    return next((Source(candidate) for candidate in candidates if candidate.is_file()), None)


def sniffed(path: Path, name: str) -> Source | None:
    """The log as `log_file` finds it; None instead of an error where a zip is damaged."""
    with suppress(DataError):
        return log_file(path, name)
    return None


def members(path: Path) -> list[str]:
    """The files in a zip, without folders and hidden ones; a damaged zip raises DataError."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    return [name for name in names if not any(part[0] in "._" for part in PurePosixPath(name).parts)]


def parts(folder: Path) -> list[Path]:
    """The files of a folder and of those in it, by name, without hidden and marker files (`_SUCCESS`, `.crc`)."""
    if not folder.is_dir():
        return []
    inside = (path for pattern in ("*", "*/*", "*/*/*") for path in folder.glob(pattern))
    found = islice((path for path in inside if path.is_file()), MOST_PARTS + 1)
    return sorted(path for path in found if not any(part[0] in "._" for part in path.relative_to(folder).parts))


def one_line_end(data: bytes) -> bytes:
    """Text whose lines end with a newline: CRLF, and CR where the text has no newline at all (old Macintosh)."""
    if b"\r" not in data:
        return data
    return data.replace(b"\r\n", b"\n") if b"\n" in data else data.replace(b"\r", b"\n")


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


class _Recoded:
    """A stream of text in another encoding, read as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self.stream, self.decoder, self.ready = stream, codecs.getincrementaldecoder(encoding)("replace"), b""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; all of them where it is negative."""
        while size < 0 or len(self.ready) < size:
            chunk = self.stream.read(2**20)
            self.ready += self.decoder.decode(chunk, final=not chunk).encode("utf-8", "replace")
            if not chunk:
                break
        end = len(self.ready) if size < 0 else size
        given, self.ready = self.ready[:end], self.ready[end:]
        return given


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    begin = _peek(stream)
    for mark, opened in PACKED.items():
        if begin.startswith(mark):
            return cast(IO[bytes], opened(stream, "rb"))
    return stream


def _as_utf8(stream: IO[bytes]) -> IO[bytes]:
    encoding = _wide(_peek(stream))
    return cast(IO[bytes], _Recoded(stream, encoding)) if encoding else stream


def _peek(stream: IO[bytes]) -> bytes:
    """Some bytes that are read again later."""
    return bytes(stream.peek(64)[:64])  # type: ignore[attr-defined]


def _wide(begin: bytes) -> str:
    """The encoding of text with two or four bytes for each character; empty where it is none."""
    if begin.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    first, second = begin[0::2], begin[1::2]
    if len(begin) >= 8 and not any(second) and all(first):
        return "utf-16-le"
    return "utf-16-be" if len(begin) >= 8 and not any(first) and all(second) else ""


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
