"""What every reader must hold, whoever wrote it. In a test of your own:

def test_my_reader_keeps_the_contract(tmp_path):
    sample = tmp_path / "log.xyz"
    sample.write_text("...")            # a few rows of the format, a bad one among them
    check_reader(my_reader, sample, rows=4)
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import polars as pl

from regraft.data.interactions import EVENT_ID, INTERACTIONS, QUARANTINE, REASONS, Batch, Reader
from regraft.testing._ground import demand


def check_reader(reader: Reader | ModuleType, sample: Path, rows: int | None = None) -> None:
    """AssertionError where the reader breaks a rule, in words; what it raises itself comes through.

    `sample` is a small file or folder of the format. It is recognised, in words, and other things are not.
    Rows come in batches of the canonical schema, in file order and the same each time; bad rows travel as
    data, each with a known reason. `rows`, where given, is how many rows the sample holds, bad ones included.
    """
    name = getattr(reader, "__name__", type(reader).__name__).rsplit(".", 1)[-1]
    _recognises(reader, sample, name)
    batch = _read(reader, sample, name)
    _holds(batch, name)
    again = _read(reader, sample, name)
    demand(
        batch.rows.equals(again.rows) and batch.rejected.equals(again.rejected),
        f"{name}: reading the same file twice gives different rows",
    )
    found = batch.rows.height + batch.rejected.height
    demand(
        rows in (None, found),
        f"{name}: {batch.rows.height} rows accepted and {batch.rejected.height} set aside, of {rows}",
    )
    _lists_items(reader, sample, batch, name)


def _recognises(reader: Reader | ModuleType, sample: Path, name: str) -> None:
    words = reader.sniff(sample)
    demand(
        isinstance(words, str) and bool(words.strip()),
        f"{name}: sniff says {words!r} of the sample; expected what was recognised, in words",
    )
    with TemporaryDirectory() as folder:
        strange = Path(folder) / "notes.bin"
        strange.write_bytes(b"\x00\xff no log of interactions \xfe\n" * 3)
        empty = Path(folder) / "empty"
        empty.mkdir()
        for other in (strange, empty):
            words = reader.sniff(other)
            demand(
                words is None, f"{name}: sniff says {words!r} of {other.name}, which is not its format; expected None"
            )


def _read(reader: Reader | ModuleType, sample: Path, name: str) -> Batch:
    batches = list(reader.interactions(sample))
    for batch in batches:
        _same_schema(batch.rows.drop(EVENT_ID, strict=False).schema, INTERACTIONS, f"{name}: accepted rows")
        _same_schema(batch.rejected.schema, QUARANTINE, f"{name}: rejected rows")
    demand(any(batch.rows.height for batch in batches), f"{name}: no row of the sample was accepted")
    return Batch(pl.concat([b.rows for b in batches]), pl.concat([b.rejected for b in batches]))


def _same_schema(found: pl.Schema, expected: pl.Schema, where: str) -> None:
    demand(dict(found) == dict(expected), f"{where} have the columns {dict(found)}; expected {dict(expected)}")


def _holds(batch: Batch, name: str) -> None:
    """Accepted rows are usable as they are, rejected ones say why."""
    for column in ("user_id", "item_id", "event"):
        blank = batch.rows.filter(pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")).height
        demand(not blank, f"{name}: {blank} accepted rows have an empty {column}; reject them with a reason")
    missing = batch.rows["timestamp"].null_count()
    demand(not missing, f"{name}: {missing} accepted rows have no timestamp; reject them with the reason bad-time")
    broken = batch.rows.filter(pl.col("value").is_nan() | pl.col("value").is_infinite()).height
    demand(not broken, f"{name}: {broken} accepted rows have a value that is no number; use null or reject them")
    strange = sorted(set(batch.rejected["reason"].drop_nulls()) - set(REASONS))
    demand(
        not strange and not batch.rejected["reason"].null_count(),
        f"{name}: rows are rejected for {', '.join(strange) or 'no reason'}; expected one of {', '.join(REASONS)}",
    )
    lines = [*batch.rows["line"], *batch.rejected["line"]]
    demand(len(set(lines)) == len(lines), f"{name}: some lines were both accepted and rejected, or given twice")
    demand(batch.rows["line"].is_sorted(), f"{name}: accepted rows are not in file order")


def _lists_items(reader: Reader | ModuleType, sample: Path, batch: Batch, name: str) -> None:
    items = reader.items(sample)
    demand(isinstance(items, pl.LazyFrame), f"{name}: items returned {type(items).__name__}, not a polars LazyFrame")
    frame = items.collect()
    demand(
        frame.columns[:2] == ["item_id", "title"],
        f"{name}: items have the columns {frame.columns}; expected item_id, title and attributes",
    )
    other = [column for column, dtype in frame.schema.items() if dtype != pl.String]
    demand(not other, f"{name}: the item columns {', '.join(other)} are not strings")
    known = frame["item_id"].is_in(batch.rows["item_id"].unique().implode()).any()
    demand(
        frame.is_empty() or known,
        f"{name}: no item of the log is in the item table; are the ids written in the same way?",
    )
