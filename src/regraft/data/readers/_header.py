"""Where the rows of a text table begin, what separates its fields, and what its columns are called."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from regraft.data.readers import _names
from regraft.data.readers._names import LOG_NAMES, REQUIRED
from regraft.data.readers._written import looks_like_time

SEPARATORS = ("\t", ",", ";", "|")
LOOKED_AT = 50  # rows


@dataclass(frozen=True)
class Header:
    """How a text table begins."""

    names: tuple[str, ...]  # c1, c2, ... where the file has no header
    separator: str
    line: int  # 1-based number of the header; 0 where there is none
    first: int  # number of the first line that may be a row
    width: int  # fields of a row: one more than names, where all rows end with a separator
    rows: tuple[tuple[str, ...], ...]  # the first rows


def header_of(head: Sequence[bytes]) -> Header | None:
    """The header of a text table; None where the first lines are no table of two columns or more.

    Blank lines, comments (`#`) and Excel's `sep=;` before the header are passed over. A file whose first line has
    numbers and times wherever the next ones have them, and no well-known name, has no header.
    """
    lines = [line.decode("utf-8", "replace") for line in head]
    start, separator = _start(lines)
    if start >= len(lines) or _is_binary(lines[start]):
        return None
    text = lines[start]
    separator = separator or max(SEPARATORS, key=text.count)
    names = tuple(name.strip() for name in _cells(text.removeprefix("#") if _is_comment(text) else text, separator))
    if len(names) < 2:
        return None
    rows = tuple(tuple(_cells(line, separator)) for line in lines[start + 1 : start + 1 + LOOKED_AT] if line.strip())
    if _is_row(names, rows):
        numbered = tuple(f"c{number}" for number in range(1, len(names) + 1))
        return Header(numbered, separator, 0, start + 1, len(names), (names, *rows))
    padded = bool(rows) and all(len(row) == len(names) + 1 and not row[-1].strip() for row in rows)
    return Header(names, separator, start + 1, start + 2, len(names) + padded, rows)


def _start(lines: Sequence[str]) -> tuple[int, str]:
    """Index of the first line that is header or row, and the separator where a line of Excel's names it."""
    separator = ""
    for index, line in enumerate(lines):
        named = re.fullmatch(r"sep=(.)", line.strip("\r\ufeff "))
        if named:
            separator = named[1]
        elif line.strip() and not (_is_comment(line) and not _names_columns(line)):
            return index, separator
    return len(lines), separator


def _is_comment(line: str) -> bool:
    return line.startswith("#")


def _names_columns(line: str) -> bool:
    """Whether a line that begins like a comment is a header with a mark before it."""
    names = _cells(line.removeprefix("#"), max(SEPARATORS, key=line.count))
    return all(_names.well_known(names, LOG_NAMES[key]) for key in REQUIRED)


def _is_binary(line: str) -> bool:
    return any(c < " " and c not in "\t\x1f\x0c" for c in line.rstrip("\r"))


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)


def _is_row(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether what should be names is a row like the others."""
    if sum(_names.well_known(names, known) is not None for known in LOG_NAMES.values()) > 1:
        return False
    alike = [row for row in rows if len(row) == len(names)] or [tuple(names)]
    filled = [[row[at] for row in alike if row[at].strip()] for at in range(len(names))]
    numeric = [at for at, cells in enumerate(filled) if cells and all(map(_is_data, cells))]
    return any(_is_data(names[at]) for at in numeric) and all(_is_data(names[at]) or not names[at] for at in numeric)


def _is_data(cell: str) -> bool:
    """Whether a cell is a number or a time, which names of columns are not."""
    text = cell.strip().replace(",", ".")
    try:
        float(text)
    except ValueError:
        return looks_like_time(text)
    return True
