"""Cuts the bytes of a log into lines, a block at a time, and keeps every line's number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import numpy.typing as npt
import polars as pl

from regraft.data.interactions import QUARANTINE, Cells

BLOCK = 32 * 2**20  # bytes read at a time
LONGEST_RECORD = 1000  # lines that one quoted CSV record may span
TEXT = 200  # characters of a raw line that are kept
BOM = b"\xef\xbb\xbf"

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lines:
    """Some lines of one file: bytes meant as UTF-8, each line closed by one newline."""

    file: str
    data: bytes
    ends: Integers  # position of each line's newline
    numbers: Integers  # 1-based line numbers in the file, ascending

    @classmethod
    def of(cls, raw: Sequence[bytes], file: str) -> Lines:
        """Lines that are at hand one by one."""
        ends = np.cumsum([len(one) + 1 for one in raw], dtype=np.int64) - 1
        return cls(file, b"".join(one + b"\n" for one in raw), ends, np.arange(1, len(raw) + 1))

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def starts(self) -> Integers:
        """Position of each line's first byte."""
        return np.concatenate([np.zeros(1, np.int64), self.ends[:-1] + 1])[: len(self)]

    def cut(self, first: int, end: int) -> Lines:
        """The lines from index `first` up to, not including, `end`."""
        start = int(self.ends[first - 1]) + 1 if first else 0
        ends = self.ends[first:end] - start
        stop = start + (int(ends[-1]) + 1 if len(ends) else 0)
        return Lines(self.file, self.data[start:stop], ends, self.numbers[first:end])

    def select(self, mask: Mask) -> Lines:
        """The lines where `mask` is true."""
        if mask.all():
            return self
        lengths = self.ends - self.starts + 1
        kept = np.frombuffer(self.data, np.uint8)[np.repeat(mask, lengths)]
        return Lines(self.file, kept.tobytes(), np.cumsum(lengths[mask]) - 1, self.numbers[mask])

    def from_line(self, number: int) -> Lines:
        """The lines with this number or a higher one."""
        return self.cut(int(np.searchsorted(self.numbers, number)), len(self))

    def raw(self, index: int) -> bytes:
        """One line, without its newline."""
        return self.data[int(self.ends[index - 1]) + 1 if index else 0 : int(self.ends[index])]

    def text(self, numbers: Sequence[int]) -> list[str]:
        """The lines with these numbers as text; bytes that are not UTF-8 show as U+FFFD."""
        found = np.searchsorted(self.numbers, np.asarray(numbers, np.int64))
        return [self.raw(int(index)).decode("utf-8", "replace") for index in found]

    def rejected(self, mask: Mask, reason: str) -> pl.DataFrame:
        """The lines where `mask` is true, set aside."""
        numbers = self.numbers[mask].tolist()
        return set_aside(self.file, numbers, [reason] * len(numbers), self.text(numbers))


@dataclass(frozen=True)
class Part:
    """Rows cut into fields, before any field is trusted."""

    file: str
    fields: pl.DataFrame  # `line` and the columns that were asked for
    rejected: pl.DataFrame  # schema QUARANTINE
    text: Callable[[Sequence[int]], list[str]]  # the raw rows with these line numbers
    offset: int = 0  # lines of the files before this one
    last: int = 0  # number of the last line that was looked at
    columns: Mapping[str, str] = field(default_factory=dict)  # what the file calls the columns
    cells: Mapping[str, Cells] = field(default_factory=dict)  # of rows set aside, by reason


def set_aside(file: str, numbers: Sequence[int], reasons: Sequence[str], texts: Sequence[str]) -> pl.DataFrame:
    """Rejected rows, in the quarantine's schema."""
    cut = [text[:TEXT] for text in texts]
    columns = {"file": [file] * len(cut), "line": list(numbers), "reason": list(reasons), "text": cut}
    return pl.DataFrame(columns, schema=QUARANTINE)


def read_lines(
    stream: IO[bytes], file: str, encoding: str = "utf-8", quoted: bool = False, otherwise: str = "", first: int = 1
) -> Iterator[Lines]:
    """All lines of a file in blocks, blank ones included, without a byte-order mark; `first` is the first number.

    CRLF ends a line as LF does, and CR in a file without any LF. With `quoted`, a block does not end inside a
    quoted CSV field. Lines that are not UTF-8 are read in the encoding `otherwise`, where it is given.
    """
    for lines in _blocks(stream, file, encoding, quoted, first):
        yield _recoded(lines, otherwise) if otherwise else lines


def _blocks(stream: IO[bytes], file: str, encoding: str, quoted: bool, number: int) -> Iterator[Lines]:
    rest = b""
    chunk = stream.read(BLOCK).removeprefix(BOM)
    only_cr = b"\r" in chunk and b"\n" not in chunk
    while chunk:
        block = rest + (chunk.replace(b"\r", b"\n") if only_cr else chunk)
        cut = _last_line_end(block, quoted)
        rest = block[cut:]
        if cut:
            lines = lines_of(block[:cut], file, number, encoding)
            number += len(lines)
            yield lines
        chunk = stream.read(BLOCK)
    if rest:
        yield lines_of(rest + b"\n", file, number, encoding)


def _recoded(lines: Lines, encoding: str) -> Lines:
    """The lines with those that are not UTF-8 read in another encoding."""
    broken = _not_utf8(lines)
    if not broken.any():
        return lines
    raw = [lines.raw(index) for index in range(len(lines))]
    texts = [one.decode(encoding, "replace").encode() if bad else one for one, bad in zip(raw, broken, strict=True)]
    data = b"".join(text.replace(b"\n", b" ") + b"\n" for text in texts)
    return Lines(lines.file, data, np.cumsum([len(text) + 1 for text in texts]) - 1, lines.numbers)


def lines_of(data: bytes, file: str, first: int = 1, encoding: str = "utf-8") -> Lines:
    """The lines of some bytes that end with a newline; `first` is the number of the first line."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if encoding != "utf-8" and not data.isascii():
        data = data.decode(encoding).encode()
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    return Lines(file, data, ends, np.arange(first, first + len(ends)))


def readable(lines: Lines) -> tuple[Lines, pl.DataFrame]:
    """The lines that are neither blank nor broken text, and the broken ones, set aside."""
    lines = lines.select(lines.ends > lines.starts)
    broken = _not_utf8(lines)
    return lines.select(~broken), lines.rejected(broken, "encoding")


def _not_utf8(lines: Lines) -> Mask:
    """Which lines are not valid UTF-8; the whole block is tried first."""
    broken = np.zeros(len(lines), np.bool_)
    if lines.data.isascii() or _decodes(lines.data):
        return broken
    high = np.flatnonzero(np.frombuffer(lines.data, np.uint8) >= 0x80)
    for index in np.unique(np.searchsorted(lines.ends, high)):
        broken[index] = not _decodes(lines.raw(int(index)))
    return broken


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _last_line_end(block: bytes, quoted: bool) -> int:
    """Where the block's last whole line ends, 0 where there is none."""
    end = block.rfind(b"\n") + 1
    if not quoted or block.count(b'"', 0, end) % 2 == 0:
        return end
    # An odd number of quotes: step back over the lines of an open record. Where none is found,
    # a stray quote stands somewhere above, and any line end is as good.
    at, odd = end, True
    for _ in range(LONGEST_RECORD):
        if at == 0:
            break
        start = block.rfind(b"\n", 0, at - 1) + 1
        odd ^= block.count(b'"', start, at) % 2 == 1
        at = start
        if not odd:
            return at
    return end
