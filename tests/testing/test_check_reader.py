"""A reader that breaks a rule is caught, and told which; the built-in readers keep them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from regraft import plugins
from regraft.data.interactions import INTERACTIONS, QUARANTINE, Batch, empty_quarantine
from regraft.testing.check_reader import check_reader

MOVIELENS = b"1::10::5::978300760\n1::20::3::978300761\nbroken\n2::10::4::978300762\n"
SAMPLES = {
    "movielens-1m": ("ratings.dat", MOVIELENS),
    "movielens-100k": ("u.data", b"1\t10\t5\t978300760\n1\t20\t3\t978300761\nbroken\n2\t10\t4\t978300762\n"),
    "movielens-csv": (
        "ratings.csv",
        b"userId,movieId,rating,timestamp\n1,10,5.0,978300760\n1,20,3.0,978300761\nbroken\n2,10,4.5,978300762\n",
    ),
    "table": ("log.csv", b"user,item,rating,time\n1,10,5,978300760\n1,20,3,978300761\n1\n2,10,4,978300762\n"),
    "amazon-2018": (
        "Beauty_5.json",
        b'{"reviewerID":"a","asin":"x","overall":5,"unixReviewTime":1400000000}\n'
        b'{"reviewerID":"b","asin":"x","overall":3,"unixReviewTime":1400000001}\nbroken\n'
        b'{"reviewerID":"b","asin":"y","overall":4,"unixReviewTime":1400000002}\n',
    ),
    "amazon-2023": (
        "Beauty.jsonl",
        b'{"user_id":"a","parent_asin":"x","rating":5,"timestamp":1600000000000}\n'
        b'{"user_id":"b","parent_asin":"x","rating":3,"timestamp":1600000001000}\nbroken\n'
        b'{"user_id":"b","parent_asin":"y","rating":4,"timestamp":1600000002000}\n',
    ),
}


@pytest.mark.parametrize("name", plugins.names("readers"))
def test_every_reader_keeps_the_contract(name: str, tmp_path: Path) -> None:
    file, content = SAMPLES[name]
    (tmp_path / file).write_bytes(content)
    check_reader(plugins.load("readers", name), tmp_path / file, rows=4)


class Good:
    """Comma-separated: user, item, seconds; a line that is not is set aside."""

    def sniff(self, path: Path) -> str | None:
        return "three columns" if path.is_file() and path.suffix == ".three" else None

    def interactions(self, path: Path) -> Iterator[Batch]:
        rows, bad = [], []
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            fields = line.split(",")
            if len(fields) == 3:
                rows.append((fields[0], fields[1], int(fields[2]) * 1000, "view", None, number))
            else:
                bad.append((path.name, number, "field-count", line))
        frame = pl.DataFrame(rows, {**INTERACTIONS, "timestamp": pl.Int64}, orient="row").cast(dict(INTERACTIONS))
        yield Batch(frame, pl.DataFrame(bad, QUARANTINE, orient="row"))

    def items(self, path: Path) -> pl.LazyFrame:
        return pl.LazyFrame({"item_id": ["x"], "title": ["X"]})


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "log.three"
    path.write_text("a,x,1600000000\nbroken\nb,x,1600000001\n")
    return path


def refused(reader: Any, sample: Path, words: str, rows: int | None = None) -> None:
    with pytest.raises(AssertionError) as caught:
        check_reader(reader, sample, rows)
    assert words in str(caught.value)


def changed(**columns: pl.Expr) -> type[Good]:
    """A reader whose accepted rows are altered."""

    class Altered(Good):
        def interactions(self, path: Path) -> Iterator[Batch]:
            for batch in super().interactions(path):
                yield Batch(batch.rows.with_columns(**columns), batch.rejected)

    return Altered


def test_a_sound_reader_passes(sample: Path) -> None:
    check_reader(Good(), sample, rows=3)


def test_a_lost_row_is_caught(sample: Path) -> None:
    class Loses(Good):
        def interactions(self, path: Path) -> Iterator[Batch]:
            for batch in super().interactions(path):
                yield Batch(batch.rows, empty_quarantine())

    refused(Loses(), sample, "Loses: 2 rows accepted and 0 set aside, of 3", rows=3)


def test_a_sample_that_is_not_recognised_is_caught(sample: Path) -> None:
    class Blind(Good):
        def sniff(self, path: Path) -> str | None:
            return None

    refused(Blind(), sample, "Blind: sniff says None of the sample; expected what was recognised, in words")


def test_recognising_everything_is_caught(sample: Path) -> None:
    class Eager(Good):
        def sniff(self, path: Path) -> str | None:
            return "surely mine"

    refused(Eager(), sample, "Eager: sniff says 'surely mine' of notes.bin")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"value": pl.lit("5")}, "accepted rows have the columns"),
        ({"user_id": pl.lit(" ")}, "2 accepted rows have an empty user_id; reject them with a reason"),
        ({"value": pl.lit(float("nan"))}, "2 accepted rows have a value that is no number"),
        ({"timestamp": pl.lit(None, INTERACTIONS["timestamp"])}, "2 accepted rows have no timestamp"),
        ({"line": pl.lit(2, pl.Int64)}, "some lines were both accepted and rejected, or given twice"),
        ({"line": 10 - pl.col("line")}, "accepted rows are not in file order"),
        ({"item_id": pl.lit("?")}, "no item of the log is in the item table"),
    ],
)
def test_rows_that_cannot_be_used_are_caught(columns: dict[str, pl.Expr], words: str, sample: Path) -> None:
    refused(changed(**columns)(), sample, words)


def test_an_unknown_reason_is_caught(sample: Path) -> None:
    class Vague(Good):
        def interactions(self, path: Path) -> Iterator[Batch]:
            for batch in super().interactions(path):
                yield Batch(batch.rows, batch.rejected.with_columns(reason=pl.lit("bad")))

    refused(Vague(), sample, "Vague: rows are rejected for bad; expected one of field-count")


def test_reading_that_changes_from_time_to_time_is_caught(sample: Path) -> None:
    class Moody(Good):
        times = 0

        def interactions(self, path: Path) -> Iterator[Batch]:
            self.times += 1
            for batch in super().interactions(path):
                yield Batch(batch.rows.with_columns(event=pl.lit(f"view {self.times}")), batch.rejected)

    refused(Moody(), sample, "Moody: reading the same file twice gives different rows")


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (pl.DataFrame({"item_id": ["x"], "title": ["X"]}), "items returned DataFrame, not a polars LazyFrame"),
        (pl.LazyFrame({"title": ["X"], "item_id": ["x"]}), "items have the columns ['title', 'item_id']"),
        (pl.LazyFrame({"item_id": ["x"], "title": ["X"], "year": [1995]}), "the item columns year are not strings"),
    ],
)
def test_an_item_table_that_cannot_be_used_is_caught(items: Any, words: str, sample: Path) -> None:
    class Odd(Good):
        def items(self, path: Path) -> Any:
            return items

    refused(Odd(), sample, words)
