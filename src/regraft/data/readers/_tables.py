"""Tables in files: CSV, TSV, JSON, Parquet and Arrow, alone, packed, or as the parts of a folder.

Content decides what a file is. `look` finds the tables of a log; `_not_tables` says what else a file may be.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data.interactions import empty_quarantine
from regraft.data.readers._delimited import delimited
from regraft.data.readers._files import BOM, Source, is_zip, members, parts
from regraft.data.readers._header import header_of
from regraft.data.readers._json_forms import array_lines, first_elements, from_python, is_python
from regraft.data.readers._mapping import NUMBERED, Columns
from regraft.data.readers._names import LOG_NAMES, REQUIRED, well_known
from regraft.data.readers._not_tables import signature
from regraft.data.readers._objects import fields_of, is_one_object, keys_of, nested_keys
from regraft.data.readers.lines import Lines, Part, read_lines
from regraft.errors import DataError

ROWS = 4_000_000  # rows of a Parquet file read at a time
TYPED = {b"PAR1": "Parquet", b"ARROW1": "Arrow"}  # first bytes of files that hold types
JSON, ARRAY, PYTHON = "JSON lines", "JSON array", "Python literal lines"
IDS = ("user_id", "item_id")


@dataclass(frozen=True)
class Table:
    """One table file and the names of its columns."""

    source: Source
    kind: str  # of TYPED, JSON, ARRAY, PYTHON, "CSV" or "TSV"
    names: Sequence[str]
    objects: Mapping[str, Sequence[str]] = field(default_factory=dict)  # column of objects: the keys in it
    separator: str = ""
    width: int = 0  # fields of a text row
    first: int = 1  # number of the first line that may be a row
    header: int = 0  # number of the header's line; 0 where there is none
    rows: Sequence[Sequence[str]] = ()  # some first rows of a text table

    @property
    def columns(self) -> Columns:
        """The columns as a mapping may name them."""
        firsts = self.rows[0] if self.separator and not self.header and self.rows else ()
        return Columns(self.source.name, self.names, self.objects, self.width, firsts)

    @property
    def recognised(self) -> str:
        """What the file is, in words."""
        if self.separator and self.header > 1:
            return f"{self.kind} table (header in line {self.header})"
        return f"{self.kind} table"

    def parts(self, chosen: Mapping[str, str], otherwise: str = "", offset: int = 0) -> Iterator[Part]:
        """The columns `chosen` (name: column) of all rows. Text gives strings, Parquet its own types.

        `line` is `offset` + the line in a text file, the element of a JSON array, or the row in a Parquet file.
        Lines that are not UTF-8 are read in the encoding `otherwise`, where it is given.
        """
        cut = self._typed if self.kind in TYPED.values() else self._text if self.separator else self._json
        for part in cut(chosen, otherwise, offset):
            yield replace(part, offset=offset, columns=chosen)

    def _text(self, chosen: Mapping[str, str], otherwise: str, offset: int) -> Iterator[Part]:
        positions = {name: self._position(column) for name, column in chosen.items()}
        with self.source.open() as stream:
            for lines in read_lines(stream, self.source.name, "utf-8", True, otherwise, offset + 1):
                rows = lines.from_line(offset + self.first)
                part = delimited(rows, self.separator, positions, self.width, quoted=True)
                yield replace(part, last=int(lines.numbers[-1]))

    def _position(self, column: str) -> int:
        if column in self.names:
            return list(self.names).index(column)
        return int(NUMBERED.fullmatch(column)[1]) - 1  # type: ignore[index]

    def _json(self, chosen: Mapping[str, str], otherwise: str, offset: int) -> Iterator[Part]:
        nested = {f"{top}.{key}": (top, key) for top, keys in self.objects.items() for key in keys}
        paths = {name: nested.get(column, (column, "")) for name, column in chosen.items()}
        yield from self.objects_of(paths, otherwise, offset)

    def objects_of(self, paths: Mapping[str, tuple[str, str]], otherwise: str = "", offset: int = 0) -> Iterator[Part]:
        """The keys `paths` (name: key, key inside its object or "") of all objects of a JSON table."""
        for lines in self._json_lines(otherwise, offset):
            yield replace(fields_of(lines, paths, IDS), last=int(lines.numbers[-1]) if len(lines) else 0)

    def _json_lines(self, otherwise: str, offset: int) -> Iterator[Lines]:
        with self.source.open() as stream:
            if self.kind == ARRAY:
                yield array_lines(stream.read(), self.source.name, offset + 1)
                return
            for lines in read_lines(stream, self.source.name, otherwise=otherwise, first=offset + 1):
                yield from_python(lines) if self.kind == PYTHON else lines

    def _typed(self, chosen: Mapping[str, str], _: str, offset: int) -> Iterator[Part]:
        nested = {f"{top}.{key}": (top, key) for top, keys in self.objects.items() for key in keys}
        wanted = [
            pl.col(nested[column][0]).struct.field(nested[column][1]).alias(column)
            if column in nested
            else pl.col(column)
            for column in dict.fromkeys(chosen.values())
        ]
        try:
            scan = self._scan()
            height = scan.select(pl.len()).collect().item()
            for start in range(0, height, ROWS):
                rows = scan.select(wanted).slice(start, ROWS).collect()
                part = _typed_part(self.source.name, rows, chosen, offset + start)
                yield replace(part, last=offset + start + rows.height)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _broken(self.source.path, self.kind, error) from error

    def _scan(self) -> pl.LazyFrame:
        scan: Any = pl.scan_parquet if self.kind == "Parquet" else pl.scan_ipc
        if not self.source.member:
            return scan(self.source.path, glob=False) if self.kind == "Parquet" else scan(self.source.path)
        with self.source.open() as stream:
            return scan(io.BytesIO(stream.read()))


def look(path: Path) -> list[Table]:
    """The tables that are the log at `path`: one, or the parts of a folder; none where it is no table.

    Broken Parquet and damaged zips raise DataError.
    """
    if path.is_dir():
        return _of_folder(path)
    if is_zip(path):
        return _of_zip(path)
    table = table_of(Source(path)) if path.is_file() else None
    return [table] if table else []


def table_of(source: Source) -> Table | None:
    """The table in one file; None where it does not look like one."""
    begin = source.start()
    for mark, kind in TYPED.items():
        if begin.startswith(mark):
            return _typed_table(source, kind)
    if signature(begin):
        return None
    begin = begin.removeprefix(BOM).lstrip()
    if begin.startswith(b"["):
        found = first_elements(begin)
        keys = list(dict.fromkeys(key for one in found for key in keys_of(one)))
        if keys:
            return Table(source, ARRAY, *_with_nested(keys, found))
    if begin.startswith(b"{"):
        return _json_table(source)
    found_header = header_of(source.head())
    if found_header is None:
        return None
    kind = "TSV" if found_header.separator == "\t" else "CSV"
    return Table(
        source, kind, found_header.names, {}, found_header.separator, found_header.width, found_header.first,
        found_header.line, found_header.rows,
    )  # fmt: skip


def _json_table(source: Source) -> Table | None:
    head = [line for line in source.head() if line.strip()]
    kind = PYTHON if any(is_python(line) for line in head[:5]) else JSON
    if kind == PYTHON:
        lines = from_python(Lines.of(head, source.name))
        head = [lines.raw(index) for index in range(len(lines))]
    keys = list(dict.fromkeys(key for line in head for key in keys_of(line)))
    if len(head) == 1 and is_one_object(head[0]):
        return None
    return Table(source, kind, *_with_nested(keys, head)) if keys else None


def _with_nested(keys: list[str], head: Sequence[bytes]) -> tuple[list[str], dict[str, list[str]]]:
    """The keys and those of objects inside them as "user.id"; and the columns that hold objects."""
    objects = nested_keys(head)
    inside = [f"{top}.{key}" for top, found in objects.items() for key in found]
    return keys + [name for name in inside if name not in keys], objects


def _typed_table(source: Source, kind: str) -> Table:
    bare = Table(source, kind, ())
    try:
        schema = bare._scan().collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _broken(source.path, kind, error) from error
    objects = {
        name: [one.name for one in dtype.fields] for name, dtype in schema.items() if isinstance(dtype, pl.Struct)
    }
    inside = [f"{top}.{key}" for top, found in objects.items() for key in found]
    return replace(bare, names=[*schema, *(name for name in inside if name not in schema)], objects=objects)


def _of_folder(folder: Path) -> list[Table]:
    """The parts of one table, as Spark, Hive or a daily export write them; none where the files differ."""
    tables: list[Table] = []
    for path in parts(folder):
        table = None if is_zip(path) else table_of(Source(path))
        if table is None or (tables and set(table.names) != set(tables[0].names)):
            return []
        tables.append(table)
    return tables


def _of_zip(path: Path) -> list[Table]:
    """The only table in a zip, or the only one of several that is a log by the names of its columns."""
    tables = [table for member in members(path) if (table := table_of(Source(path, member)))]
    logs = [table for table in tables if all(well_known(table.names, LOG_NAMES[key]) for key in REQUIRED)]
    return tables if len(tables) == 1 else logs if len(logs) == 1 else []


def as_text(values: pl.Series) -> pl.Series:
    """Values of any type as strings: 7.0 as "7" where all numbers are whole, lists of words as "a, b"."""
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        if ((whole == values) | values.is_null() | values.is_nan()).all():
            values = whole
    if isinstance(values.dtype, pl.List):
        return values.cast(pl.List(pl.String)).list.join(", ")
    if isinstance(values.dtype, pl.Struct):
        return values.struct.json_encode()
    return values.cast(pl.String, strict=False)


def _typed_part(file: str, rows: pl.DataFrame, chosen: Mapping[str, str], start: int) -> Part:
    def text(numbers: Sequence[int]) -> list[str]:
        found = rows[[number - start - 1 for number in numbers]]
        return [json.dumps(row, default=str, ensure_ascii=False) for row in found.iter_rows(named=True)]

    kept = ("timestamp", "value")  # typed times and numbers are read as such
    columns = [(rows[column] if name in kept else as_text(rows[column])).alias(name) for name, column in chosen.items()]
    line = pl.int_range(start + 1, start + rows.height + 1, dtype=pl.Int64, eager=True).alias("line")
    return Part(file, pl.DataFrame([*columns, line]), empty_quarantine(), text)


def _broken(path: Path, kind: str, error: Exception) -> DataError:
    reason = str(error).split("\n", 1)[0]
    return DataError(str(path), f"cannot be read as {kind}: {reason}", "a complete file", "Fetch it again.")
