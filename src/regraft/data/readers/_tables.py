"""Tables in files: CSV, TSV, JSON lines (plain or gzip) and Parquet, known by their content."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from regraft.data.interactions import empty_quarantine
from regraft.data.readers._delimited import delimited
from regraft.data.readers._files import Source, is_zip
from regraft.data.readers._objects import keys_of, objects
from regraft.data.readers.lines import Part, read_lines
from regraft.errors import DataError

ROWS = 4_000_000  # rows of a Parquet file read at a time
SEPARATORS = ("\t", ",", ";", "|")


@dataclass(frozen=True)
class Table:
    """One table file and the names of its columns."""

    source: Source
    kind: str  # "Parquet", "JSON lines", "CSV" or "TSV"
    columns: list[str]
    separator: str = ""

    def parts(self, chosen: Mapping[str, str]) -> Iterator[Part]:
        """The columns `chosen` (name: column) of all rows. Text gives strings, Parquet its own types.

        `line` is the line in a text file, its header included, and the row in a Parquet file.
        """
        if self.kind == "Parquet":
            yield from self._parquet(chosen)
            return
        with self.source.open() as stream:
            if self.kind == "JSON lines":
                for lines in read_lines(stream, self.source.name):
                    yield objects(lines, chosen)
                return
            positions = {name: self.columns.index(column) for name, column in chosen.items()}
            for lines in read_lines(stream, self.source.name, quoted=True):
                rows = lines.from_line(2)
                yield delimited(rows, self.separator, positions, len(self.columns), quoted=True)

    def _parquet(self, chosen: Mapping[str, str]) -> Iterator[Part]:
        try:
            scan = pl.scan_parquet(self.source.path, glob=False)
            height = scan.select(pl.len()).collect().item()
            for start in range(0, height, ROWS):
                rows = scan.select(list(dict.fromkeys(chosen.values()))).slice(start, ROWS).collect()
                yield _typed_part(self.source.name, rows, chosen, start)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _broken(self.source.path, error) from error


def look(path: Path) -> Table | None:
    """The table at `path`; None where it does not look like one. Broken Parquet raises DataError."""
    if not path.is_file() or is_zip(path):
        return None
    source = Source(path)
    head = source.head()
    if not head or not head[0].strip():
        return None
    if head[0].startswith(b"PAR1"):
        try:
            return Table(source, "Parquet", list(pl.read_parquet_schema(path)))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _broken(path, error) from error
    if head[0].lstrip().startswith(b"{"):
        keys = list(dict.fromkeys(key for line in head for key in keys_of(line)))
        return Table(source, "JSON lines", keys) if keys else None
    header = head[0].decode("utf-8", "replace")
    separator = max(SEPARATORS, key=header.count)
    columns = [name.strip() for name in next(csv.reader([header], delimiter=separator))]
    kind = "TSV" if separator == "\t" else "CSV"
    return Table(source, kind, columns, separator) if len(columns) > 1 else None


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


def _broken(path: Path, error: Exception) -> DataError:
    reason = str(error).split("\n", 1)[0]
    return DataError(str(path), f"cannot be read as Parquet: {reason}", "a complete file", "Fetch it again.")
