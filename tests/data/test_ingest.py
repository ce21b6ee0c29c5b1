"""From a file to one validated log."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft import plugins
from regraft.data.ingest import Ingested, detect, ingest
from regraft.data.interactions import INTERACTIONS, QUARANTINE, Batch, empty_quarantine
from regraft.errors import DataError

SHARED = Path(os.environ.get("REGRAFT_DATA") or Path(__file__).parents[3] / "shared" / "data")
NOON = 1_600_000_000  # 2020-09-13 12:26:40 UTC


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Errors show paths as they were given, so every test works in its own folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ratings(*rows: str) -> Path:
    """A ratings.dat with these rows, and 200 good ones behind them."""
    good = [f"{number}::7::5::{NOON}" for number in range(200)]
    path = Path("ratings.dat")
    path.write_text("\n".join([*rows, *good]) + "\n", encoding="utf-8")
    return path


def table(*rows: str, header: str = "user,item,rating,time") -> Path:
    path = Path("log.csv")
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


# What comes in and what comes out


def test_a_log_arrives_in_the_canonical_schema_with_its_items() -> None:
    path = ratings("1::9::3::978300760")
    Path("movies.dat").write_text("9::七人の侍::Drama\n7::Toy Story::Comedy\n", encoding="utf-8")
    log = ingest(path)
    assert log.interactions.schema == INTERACTIONS
    assert log.rejected.schema == QUARANTINE
    assert (log.reader, log.rows_in, log.warnings) == ("movielens-1m", 201, [])
    assert log.interactions.row(0) == (
        "1",
        "9",
        datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC),
        "rating",
        3.0,
        1,
    )
    assert log.items.rows() == [("9", "七人の侍", "Drama"), ("7", "Toy Story", "Comedy")]


def test_rows_keep_the_order_of_the_file() -> None:
    log = ingest(table(f"b,x,1,{NOON + 9}", f"a,x,1,{NOON}", f"c,x,1,{NOON + 5}"))
    assert log.interactions["line"].to_list() == [2, 3, 4]


def test_exact_copies_are_set_aside_and_the_first_is_kept() -> None:
    path = ratings("1::9::3::978300760", "1::9::3::978300760", "1::9::4::978300760", "1::9::3::978300760")
    log = ingest(path, quarantine=True)
    assert log.rejected.select("file", "line", "reason").rows() == [
        ("ratings.dat", 2, "duplicate"),
        ("ratings.dat", 4, "duplicate"),
    ]
    assert json.loads(log.rejected["text"][0])["item_id"] == "9"
    assert log.interactions["line"].to_list()[:3] == [1, 3, 5]
    assert log.warnings[0] == "2 of 204 rows were set aside: a copy of an earlier row"


def test_repeats_in_an_implicit_log_are_real() -> None:
    log = ingest(table(*[f"u,i,{NOON}"] * 3, header="user,item,time"))
    assert log.interactions.height == 3
    assert log.rejected.is_empty()


def test_in_a_mixed_log_only_rows_with_a_value_can_be_copies() -> None:
    rows = [f"u,i,{NOON},click,"] * 2 + [f"u,i,{NOON},rating,5"] * 2
    log = ingest(table(*rows, header="user,item,time,event,rating"), quarantine=True)
    assert log.interactions["event"].to_list() == ["click", "click", "rating"]


def test_the_same_event_id_is_the_same_event_whatever_else_it_says() -> None:
    rows = [f"u,i,{NOON},a", f"u,i,{NOON},b", f"v,j,{NOON + 9},a", f"u,i,{NOON},", f"u,i,{NOON},"]
    log = ingest(table(*rows, header="user,item,time,event_id"), quarantine=True)
    assert log.interactions["line"].to_list() == [2, 3, 5, 6]
    assert log.rejected.select("line", "reason").rows() == [(4, "duplicate")]


def test_equal_rows_with_a_value_are_two_where_they_have_two_event_ids() -> None:
    rows = [f"u,i,5,{NOON},a", f"u,i,5,{NOON},b", f"u,i,5,{NOON},", f"u,i,5,{NOON},"]
    log = ingest(table(*rows, header="user,item,rating,time,event_id"), quarantine=True)
    assert log.interactions["line"].to_list() == [2, 3, 4]


def test_a_column_that_says_the_kind_of_an_event_is_told_from_one_that_names_it() -> None:
    with pytest.raises(DataError) as error:
        ingest(table(*[f"u{k},i,{NOON},{k % 2}" for k in range(6)], header="user,item,time,event_id"))
    assert str(error.value).startswith(
        "log.csv line 4: a copy of an earlier row (the column 'event_id' holds '0', '1'): "
    )
    assert "read the log without it: regraft data inspect log.csv --mapping event_id=\n" in str(error.value)


def test_copies_inside_a_zip_are_named_after_the_log() -> None:
    with zipfile.ZipFile("ml.zip", "w") as archive:
        archive.write(ratings("1::9::3::978300760", "1::9::3::978300760"), "ml/ratings.dat")
    assert ingest(Path("ml.zip"), quarantine=True).rejected["file"].to_list() == ["ratings.dat"]


def test_a_zip_gives_the_same_log_as_the_folder() -> None:
    folder = Path("ml")
    folder.mkdir()
    ratings("1::9::3::978300760", "1::9::bad::978300760").rename(folder / "ratings.dat")
    (folder / "movies.dat").write_text("9::Nine::Drama\n")
    with zipfile.ZipFile("ml.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file)
    packed, plain = ingest(Path("ml.zip")), ingest(folder)
    for name in ("interactions", "items", "rejected"):
        assert getattr(packed, name).equals(getattr(plain, name))
    assert packed.warnings == plain.warnings


def test_now_decides_which_times_lie_in_the_future() -> None:
    path = ratings("1::9::3::1700000000")
    assert ingest(path, now=datetime(2024, 1, 1, tzinfo=UTC)).rejected.is_empty()
    assert ingest(path, now=datetime(2021, 1, 1, tzinfo=UTC)).rejected["reason"].to_list() == ["future"]


def test_the_digest_is_the_sha256_of_the_file() -> None:
    path = ratings()
    assert ingest(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_of_several_files_is_that_of_their_listing() -> None:
    path, movies = ratings(), Path("movies.dat")
    movies.write_text("7::Seven::Drama\n")
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in (path, movies)]
    before = ingest(path).digest
    assert before == hashlib.sha256("".join(lines).encode()).hexdigest()
    movies.write_text("7::Eight::Drama\n")
    assert ingest(path).digest != before


# Items


def test_items_without_a_title_are_named_after_their_id_with_a_warning() -> None:
    path = ratings("1::8::3::978300760", "1::9::3::978300760")
    Path("movies.dat").write_text("7:: ::Drama\n9::Nine::\n6::Unseen::\n")
    log = ingest(path)
    titles = dict(log.items.select("item_id", "title").rows())
    assert titles == {"7": "item 7", "9": "Nine", "6": "Unseen", "8": "item 8"}
    assert log.warnings == [
        "1 of 3 items of the log are not in the item file; they are called 'item <id>'",
        "1 of 3 items in the item file have no title; they are called 'item <id>'",
    ]


def test_without_an_item_file_all_items_are_named_after_their_id() -> None:
    log = ingest(table(f"u,i,3,{NOON}", f"u,日本,3,{NOON}"))
    assert log.items.rows() == [("i", "item i"), ("日本", "item 日本")]
    assert log.warnings == [
        "2 of 2 items of the log are not described: no item file was found; they are called 'item <id>'"
    ]


def test_the_first_of_repeated_items_is_kept_with_a_warning() -> None:
    path = ratings()
    Path("movies.dat").write_text("7::First::\n7::Second::\n::Nobody::\n")
    log = ingest(path)
    assert log.items.rows() == [("7", "First", None)]
    assert log.warnings == ["1 rows of the item file repeat an item; the first one is kept"]


def test_an_item_file_from_elsewhere_is_passed() -> None:
    Path("goods.csv").write_text("item_id,title\ni,Tea\n")
    assert ingest(table(f"u,i,3,{NOON}"), items=Path("goods.csv")).items.rows() == [("i", "Tea")]


# Limits and the quarantine


def test_a_few_bad_rows_are_set_aside_with_a_warning() -> None:
    log = ingest(ratings("1::9::3::x", "1::9::3"))
    assert (log.rows_in, log.interactions.height, log.rejected.height) == (202, 200, 2)
    assert log.warnings[:2] == [
        "1 of 202 rows were set aside: a timestamp that is not a time",
        "1 of 202 rows were set aside: wrong number of fields",
    ]


def test_too_many_bad_rows_are_an_error_that_says_where_what_and_what_next() -> None:
    with pytest.raises(DataError) as error:
        ingest(ratings("1::9::3::978300760", *[f"1::{n}::3::97830-2760" for n in range(4)]))
    assert str(error.value) == (
        "ratings.dat line 2: a timestamp that is not a time (the column 'timestamp' holds '97830-2760'): "
        "'1::0::3::97830-2760'\n"
        "Expected user::item::rating::timestamp, e.g. 1::1193::5::978300760. "
        "4 of 205 rows (1.95%) are like this; the limit is 1.00%.\n"
        "See them with: regraft data inspect ratings.dat --quarantine\n"
        "Or go on without them: regraft arena init ratings.dat --limit bad-time=0.02\n"
        "In a YAML that is there already: limits: {bad-time: 0.02} under data"
    )


def test_too_many_copies_are_an_error() -> None:
    with pytest.raises(DataError) as error:
        ingest(table(*[f"u,i,3,{NOON}"] * 2))
    assert str(error.value).startswith(
        "log.csv line 3: a copy of an earlier row: "
        '\'{"user_id": "u", "item_id": "i", "timestamp": "2020-09-13 12:26:40+00:00", '
        '"event": "rating", "value": 3.0}\'\n'
        "Expected every event once. 1 of 2 rows (50.00%) are like this; the limit is 1.00%."
    )


def test_a_limit_that_is_named_is_the_one_that_holds() -> None:
    path = ratings(*[f"1::{n}::3::x" for n in range(4)])
    assert ingest(path, limits={"bad-time": 0.02}).rejected.height == 4
    with pytest.raises(DataError, match=r"the limit is 0\.50%"):
        ingest(path, limits={"bad-time": 0.005}, quarantine=True)
    with pytest.raises(DataError, match=r"the limit is 0\.00%"):
        ingest(ratings("1::9::3::x"), limits={"bad-time": 0})


def test_the_quarantine_takes_any_number_of_bad_rows() -> None:
    log = ingest(table(f"u,i,3,{NOON}", *["junk"] * 9), quarantine=True)
    assert (log.rows_in, log.interactions.height, log.rejected.height) == (10, 1, 9)


@pytest.mark.parametrize(
    ("name", "read"),
    [("q.parquet", pl.read_parquet), ("q.jsonl", pl.read_ndjson), ("deep/q.csv", pl.read_csv)],
)
def test_the_quarantine_is_written_where_it_is_wanted(name: str, read: Any) -> None:
    log = ingest(table(f"u,i,3,{NOON}", 'ju"nk', f",日本,3,{NOON}"), quarantine=Path(name))
    assert read(Path(name)).rows() == log.rejected.rows()
    assert log.rejected["reason"].to_list() == ["field-count", "empty-id"]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"bad": 0.1}, "'bad' is not a reason\nExpected one of field-count"),
        ({"future": 5}, "5 is not a share"),
    ],
)
def test_limits_that_mean_nothing_are_an_error(limits: dict[str, float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        ingest(ratings(), limits=limits)


@settings(max_examples=40, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8), st.binary(max_size=4)), max_size=20))
def test_rows_in_are_rows_accepted_and_quarantined(
    changes: list[tuple[int, int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    row = f"12::345::4::{NOON}".encode()
    rows = [row, *(row[:start] + new + row[start + length :] for start, length, new in changes)]
    path = tmp_path_factory.getbasetemp() / "mangled.dat"
    path.write_bytes(b"\n".join(rows))
    log = ingest(path, reader="movielens-1m", quarantine=True)
    found = [line for line in path.read_bytes().replace(b"\r\n", b"\n").split(b"\n") if line]
    assert log.rows_in == log.interactions.height + log.rejected.height == len(found)
    assert log.interactions.select(pl.struct(pl.exclude("line")).n_unique()).item() == log.interactions.height


# Which reader


def test_the_special_format_is_recognised_before_the_table() -> None:
    review = {"user_id": "A", "parent_asin": "B", "rating": 5, "timestamp": NOON * 1000}
    Path("log.jsonl").write_text(json.dumps(review) + "\n")
    assert detect(Path("log.jsonl")) == (
        "amazon-2023",
        "Amazon reviews of 2023: JSON lines with user_id and parent_asin",
    )


def test_a_mapping_selects_the_table() -> None:
    log = ingest(table(f"u,i,3,{NOON}", header="a,b,c,d"), mapping={"user_id": "a", "item_id": "b", "timestamp": "d"})
    assert log.reader == "table"
    assert log.interactions.select("user_id", "item_id", "value").rows() == [("u", "i", None)]


def test_a_file_that_nobody_knows_is_an_error_that_says_what_was_found() -> None:
    Path("notes.txt").write_text("hello\n")
    with pytest.raises(DataError) as error:
        detect(Path("notes.txt"))
    assert str(error.value) == (
        "notes.txt: has no columns: no tab, comma, semicolon or | in its first line 'hello'\n"
        "Expected CSV or TSV with a header, JSON lines, a JSON array, Parquet or Arrow; plain, packed (gzip, bzip2, "
        "xz, zip), or a folder of such parts; or the format of amazon-2018, amazon-2023, movielens-100k, movielens-1m, "
        "movielens-csv\n"
        "A log has at least a user, an item and a time in every row."
    )


def test_a_reader_that_takes_no_mapping_says_so() -> None:
    with pytest.raises(DataError, match="reader 'movielens-1m': takes no mapping"):
        ingest(ratings(), reader="movielens-1m", mapping={"user_id": "a"})
    with pytest.raises(DataError, match="reader 'movielens-1m': takes no item file"):
        ingest(ratings(), items=Path("movies.dat"))


def third_party(path: Path, rows: list[tuple[Any, ...]]) -> ModuleType:
    """A reader with the three functions of the protocol and nothing else."""
    module = ModuleType("third_party")

    def interactions(path: Path) -> Iterator[Batch]:
        yield Batch(pl.DataFrame(rows, schema=INTERACTIONS, orient="row"), empty_quarantine())

    module.__dict__["sniff"] = lambda path: None
    module.__dict__["interactions"] = interactions
    module.__dict__["items"] = lambda path: pl.LazyFrame(schema={"item_id": pl.String, "title": pl.String})
    return module


def test_a_reader_with_only_the_three_functions_of_the_protocol_will_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path("store")
    folder.mkdir()
    (folder / "part").write_text("anything")
    row = ("u", "i", datetime(2020, 1, 1, tzinfo=UTC), "click", None, 1)
    monkeypatch.setattr(plugins, "load", lambda kind, name: third_party(folder, [row]))
    log = ingest(folder, reader="mine", now=datetime(2024, 1, 1, tzinfo=UTC))
    assert log.interactions.rows() == [row]
    assert log.digest == hashlib.sha256(b"anything").hexdigest()


# Files that cannot be used


def test_a_missing_an_empty_and_a_damaged_file_are_each_one_clear_error() -> None:
    with pytest.raises(DataError) as missing:
        ingest(Path("nowhere.csv"))
    assert str(missing.value) == "nowhere.csv: does not exist\nExpected a file or folder\nCheck the path."
    Path("empty.csv").touch()
    with pytest.raises(DataError, match=r"empty\.csv: is empty"):
        ingest(Path("empty.csv"))
    with zipfile.ZipFile("ml.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(ratings(), "ratings.dat")
    Path("ml.zip").write_bytes(Path("ml.zip").read_bytes()[:-40])
    with pytest.raises(DataError) as damaged:
        ingest(Path("ml.zip"))
    assert str(damaged.value) == (
        "ml.zip: cannot be read: File is not a zip file\n"
        "Expected a complete, readable file\n"
        "Check the path, or fetch the file again."
    )


def test_damage_inside_a_zip_is_noticed() -> None:
    with zipfile.ZipFile("ml.zip", "w") as archive:
        archive.write(ratings(), "ratings.dat")
    Path("ml.zip").write_bytes(Path("ml.zip").read_bytes().replace(b"150::7::5", b"150::7::1"))
    with pytest.raises(DataError, match=r"cannot be read: Bad CRC-32 .* \(in ratings\.dat\)"):
        ingest(Path("ml.zip"))


def test_a_log_with_a_header_and_no_rows_is_an_error() -> None:
    with pytest.raises(DataError, match="holds no rows"):
        ingest(table())


def test_an_empty_folder_is_an_error() -> None:
    Path("folder").mkdir()
    with pytest.raises(DataError, match="is a folder without files"):
        ingest(Path("folder"))


# Real data


def real(name: str) -> Ingested:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not at hand (set REGRAFT_DATA)")
    return ingest(path)


def test_the_real_movielens_1m_is_whole() -> None:
    log = real("ml-1m.zip")
    assert (log.reader, log.rows_in, log.interactions.height) == ("movielens-1m", 1_000_209, 1_000_209)
    assert log.interactions["user_id"].n_unique() == 6040
    assert (log.items.height, log.warnings) == (3883, [])


def test_the_real_movielens_100k_is_whole() -> None:
    log = real("ml-100k.zip")
    assert (log.reader, log.interactions.height, log.items.height) == ("movielens-100k", 100_000, 1682)
    assert log.warnings == []


def test_the_real_electronics_reviews_hold_654_copies() -> None:
    log = real("amazon-electronics-2023.interactions.parquet")
    assert (log.reader, log.rows_in, log.interactions.height) == ("table", 131_154, 130_500)
    assert log.rejected["reason"].to_list() == ["duplicate"] * 654
    assert log.warnings == ["654 of 131,154 rows were set aside: a copy of an earlier row"]
    assert log.items.columns == ["item_id", "title", "genres", "brand"]


def test_the_real_books_are_implicit() -> None:
    log = real("amazon-2014-books.interactions.parquet")
    assert (log.interactions.height, log.rejected.height, log.warnings) == (517_167, 0, [])
    assert log.interactions["value"].null_count() == 517_167
