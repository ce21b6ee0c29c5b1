"""Cuts lines into fields at a separator, with or without CSV quotes (RFC 4180).

The shape of all lines is checked at once on the raw bytes; polars then parses the regular ones. Only
doubtful lines are read one by one: those with quotes in odd places, or with a byte that stands in for
a separator of two characters.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import numpy as np
import polars as pl

from regraft.data.interactions import Cells
from regraft.data.readers.lines import LONGEST_RECORD, Integers, Lines, Mask, Part, readable

STAND_IN = "\x1f"  # the ASCII unit separator: one byte in place of a separator such as '::'


def delimited(lines: Lines, separator: str, columns: Mapping[str, int], width: int, quoted: bool = False) -> Part:
    """`columns` (name: 0-based position) of the lines that have exactly `width` fields, as strings.

    An empty field is null (a quoted one: empty). With `quoted` (separator of one character), fields may stand
    in double quotes and span lines; such a record has the number of its first line.
    """
    usable, broken = readable(lines)
    cut, mark = usable, separator
    if len(separator) > 1:
        cut, mark = _with_stand_in(usable, separator), STAND_IN
    quoted = quoted and b'"' in usable.data
    if quoted:
        regular, doubtful, odd = _quoted_shape(cut.data, mark, width)
    else:
        doubtful, odd = _foreign_marks(usable, separator), np.zeros(len(cut), np.bool_)
        regular = _has_fields(cut, mark, width) & ~doubtful
    look = np.flatnonzero(doubtful)
    records, used = _one_by_one(usable, look, np.flatnonzero(odd), separator, width, quoted)
    fields = _all_at_once(cut.select(regular & ~used), mark, columns, width, quoted)
    if fields is None:  # not seen; the slow way is exact
        look, regular = np.flatnonzero(regular | doubtful), np.zeros(len(cut), np.bool_)
        records, used = _one_by_one(usable, look, np.flatnonzero(odd), separator, width, quoted)
        fields = _frame({}, usable.numbers, columns)
    if records:
        fields = pl.concat([fields, _frame(records, usable.numbers, columns)]).sort("line")
    wrong = ~(regular | used)
    cells = {"field-count": _counted(usable, wrong, separator, width, quoted)} if wrong.any() else {}
    rejected = pl.concat([broken, usable.rejected(wrong, "field-count")])
    return Part(lines.file, fields, rejected, lines.text, cells=cells)


def _counted(lines: Lines, wrong: Mask, separator: str, width: int, quoted: bool) -> Cells:
    """How many fields the first of the wrong lines have."""
    counts = []
    for index in np.flatnonzero(wrong)[:20]:
        text = lines.raw(int(index)).decode()
        counts.append(len(_csv_fields(text, separator)) if quoted else len(text.split(separator)))
    some = " or ".join(str(count) for count in dict.fromkeys(counts) if count)
    unclosed = ["a quote that is not closed"] if 0 in counts else []
    return Cells("", ("; ".join([f"{some} where {width} are expected"] * bool(some) + unclosed),))


def _with_stand_in(lines: Lines, separator: str) -> Lines:
    data = lines.data.replace(separator.encode(), STAND_IN.encode())
    return Lines(lines.file, data, np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")), lines.numbers)


def _foreign_marks(lines: Lines, separator: str) -> Mask:
    """Which lines hold the stand-in byte themselves."""
    foreign = np.zeros(len(lines), np.bool_)
    if len(separator) > 1 and STAND_IN.encode() in lines.data:
        at = np.flatnonzero(np.frombuffer(lines.data, np.uint8) == ord(STAND_IN))
        foreign[np.searchsorted(lines.ends, at)] = True
    return foreign


def _has_fields(lines: Lines, mark: str, width: int) -> Mask:
    """Which lines have `width` fields, where quotes mean nothing."""
    characters = np.frombuffer(lines.data, np.uint8)
    at = np.flatnonzero(characters == ord(mark))
    if width > 1 and len(at) == len(lines) * (width - 1):  # as many as there should be: is each in its line?
        marks = at.reshape(len(lines), width - 1)
        if (marks[:, 0] >= lines.starts).all() and (marks[:, -1] < lines.ends).all():
            return np.ones(len(lines), np.bool_)
    counts = np.bincount(np.searchsorted(lines.ends, at), minlength=len(lines))
    return np.asarray(counts + 1 == width)


def _quoted_shape(data: bytes, mark: str, width: int) -> tuple[Mask, Mask, Mask]:
    """Which lines are regular, which must be looked at, and which have an odd number of quotes.

    A quote is regular where it opens a field, closes one, or is doubled inside one.
    """
    characters = np.frombuffer(data, np.uint8)
    is_mark, is_end, is_quote = (characters == ord(c) for c in (mark, "\n", '"'))
    at = np.flatnonzero(is_mark | is_end | is_quote)
    quote, ends = is_quote[at], np.flatnonzero(is_end[at])
    line = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    so_far = np.cumsum(quote)
    before = np.concatenate([np.zeros(1, np.int64), so_far[ends[:-1]]])[: len(ends)]
    inside = (so_far - quote - before[line]) % 2 == 1

    def per_line(chosen: Mask) -> Integers:
        return np.bincount(line[chosen], minlength=len(ends))

    neighbour = np.where(inside, characters[np.minimum(at + 1, len(data) - 1)], characters[at - 1])
    at_edge = np.isin(neighbour, [ord(mark), ord("\n"), ord('"')]) | (at == 0)
    odd = (so_far[ends] - before) % 2 == 1
    right = (per_line(is_mark[at] & ~inside) + 1 == width) & ~odd & (per_line(quote & ~at_edge) == 0)
    return right, ~right & (per_line(quote) > 0), odd


def _one_by_one(
    lines: Lines, doubtful: Integers, odd: Integers, separator: str, width: int, quoted: bool
) -> tuple[dict[int, list[str]], Mask]:
    """Fields by line index of the doubtful lines that can be read, alone or as one record up to the next
    line with an odd quote; and which lines they use up."""
    records: dict[int, list[str]] = {}
    used = np.zeros(len(lines), np.bool_)
    for index in doubtful.tolist():
        if used[index]:
            continue
        later = int(np.searchsorted(odd, index, side="right"))
        partner = int(odd[later]) if later < len(odd) else index
        for last in (index, partner) if partner - index <= LONGEST_RECORD else (index,):
            record = b"\n".join(lines.raw(i) for i in range(index, last + 1)).decode()
            fields = _csv_fields(record, separator) if quoted else record.split(separator)
            if quoted and len(fields) != width and last == index and '\\"' in record:
                fields = _csv_fields(record, separator, escape="\\")  # as MySQL exports write a quote
            if len(fields) == width:
                records[index] = fields
                used[index : last + 1] = True
                break
    return records, used


def _csv_fields(record: str, separator: str, escape: str | None = None) -> list[str]:
    """The fields of exactly one record; none where it is not one."""
    try:
        rows = list(csv.reader(io.StringIO(record), delimiter=separator, escapechar=escape, strict=True))
    except csv.Error:
        return []
    return rows[0] if len(rows) == 1 else []


def _all_at_once(lines: Lines, mark: str, columns: Mapping[str, int], width: int, quoted: bool) -> pl.DataFrame | None:
    """The fields of regular lines; None where polars sees them differently."""
    # A first line of empty fields, so that no text is taken for the beginning of a compressed file.
    try:
        frame = pl.read_csv(
            mark.encode() * (width - 1) + b"\n" + lines.data,
            has_header=False,
            separator=mark,
            quote_char='"' if quoted else None,
            columns=sorted(set(columns.values())),
            schema={str(position): pl.String for position in range(width)},
        )[1:]
    except pl.exceptions.PolarsError:
        return None
    if frame.height != len(lines):
        return None
    named = [pl.col(str(position)).alias(name) for name, position in columns.items()]
    return frame.select(*named, pl.lit(pl.Series("line", lines.numbers)))


def _frame(records: Mapping[int, list[str]], numbers: Integers, columns: Mapping[str, int]) -> pl.DataFrame:
    data: dict[str, list[str | None] | list[int]] = {
        name: [fields[position] or None for fields in records.values()] for name, position in columns.items()
    }
    data["line"] = [int(numbers[index]) for index in records]
    return pl.DataFrame(data, schema={**dict.fromkeys(columns, pl.String), "line": pl.Int64})
