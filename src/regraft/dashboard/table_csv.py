"""A table of a page as CSV: read off the page as it is written, so that the file says what the page says, and no more.

Numbers lose their thousands separators and per cents become shares (3.12 % is 0.0312), so that a spreadsheet computes
with them. A text that a spreadsheet would run as a formula gets an apostrophe in front of it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser

MEDIA = "text/csv; charset=utf-8"
BOM = "\ufeff"  # without it a spreadsheet takes Japanese for something else
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?(e[+-]?\d+)?")
NOTHING = "–"
VOID = frozenset({"br", "input", "img", "meta", "link", "hr"})
APART = frozenset({"br", "li", "details", "ul"})  # what stands on a line of its own


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """The rows as RFC 4180 has them; None is empty."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_safe(cell) for cell in row] for row in rows)
    return BOM + out.getvalue()


def table_of(page: str, key: str) -> list[list[str]]:
    """Heading and rows of the table in the element `table-KEY` of a page; nothing where there is none.

    Left out: what is hidden from a screen reader, and columns whose heading says `data-csv="no"`. A heading's
    `data-also` names the small print of its cells, which then has a column of its own.
    """
    reader = _Reader(f"table-{key}")
    reader.feed(page)
    reader.close()
    if not reader.rows:
        return []
    head = reader.rows[0]
    found = [[text for cell in head if not cell.left_out for text in (cell.plain, *filter(None, [cell.also]))]]
    for row in reader.rows[1:]:
        cells = [part for cell in row for part in (cell, *[None] * (cell.across - 1))]
        found.append([text for top, cell in zip(head, cells, strict=False) for text in _texts(top, cell)])
    return found


class _Cell:
    """A cell: its text, and what of it is small print."""

    def __init__(self, given: dict[str, str | None]) -> None:
        self.text, self.small = "", ""
        self.across, self.also = int(given.get("colspan") or 1), given.get("data-also")
        self.left_out = given.get("data-csv") == "no"

    @property
    def plain(self) -> str:
        return _plain(self.text)


def _texts(top: _Cell, cell: _Cell | None) -> list[str]:
    """What a column, or two of them, hold of a cell; None: another cell reaches over this place."""
    if top.left_out:
        return []
    if cell is None:
        return [""] * (2 if top.also else 1)
    if top.also:
        return [cell.plain, _plain(cell.small)]
    return [_plain(f"{cell.text} {cell.small}")]


class _Reader(HTMLParser):
    """Reads the cells of the first table in one element of a page."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place, self._there = place, False
        self.rows: list[list[_Cell]] = []
        self._cell: _Cell | None = None
        self._small = self._silent = 0  # depth in small print, and in what a screen reader does not say

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._there = self._there or given.get("id") == self.place
        if not self._there:
            return
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self._cell = _Cell(given)
            self.rows[-1].append(self._cell)
        elif self._cell is not None and tag in APART:
            self.handle_data("\n")
        if tag not in VOID and (self._silent or given.get("aria-hidden") == "true"):
            self._silent += 1
        self._small += tag == "small"

    def handle_endtag(self, tag: str) -> None:
        if not self._there:
            return
        self._silent -= bool(self._silent)
        self._small -= tag == "small"
        if tag in ("th", "td"):
            self._cell = None
        self._there = tag != "table"
        if tag == "table":
            self.place = ""  # the first table alone

    def handle_data(self, data: str) -> None:
        if self._cell is None or self._silent:
            return
        if self._small:
            self._cell.small += data
        else:
            self._cell.text += data


def _plain(text: str) -> str:
    """A text on one line; a number without separators, a share for a per cent, nothing for a dash."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    said = "; ".join(filter(None, lines))
    if said == NOTHING:
        return ""
    digits = said.removesuffix("%").rstrip()
    if not NUMBER.fullmatch(digits):
        return said
    number = digits.replace(",", "").removeprefix("+")
    return f"{float(number) / 100:.10g}" if said.endswith("%") else number


def _safe(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(FORMULA) and not NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
