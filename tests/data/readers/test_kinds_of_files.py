"""Files that hold the same log in other clothes, and files that hold none: read, or called by their name."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from regraft import plugins
from regraft.data.ingest import Ingested, detect, ingest
from regraft.errors import DataError

NOON = 1_600_000_000
ROWS = [(f"u{n % 4}", f"i{n % 3}", n % 5 + 1, NOON + n) for n in range(12)]
HEADER = "user_id,item_id,rating,timestamp"
CSV = "\n".join([HEADER, *(",".join(map(str, row)) for row in ROWS)]) + "\n"
DICTS = [dict(zip(HEADER.split(","), row, strict=True)) for row in ROWS]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def is_whole(log: Ingested, numbers: range = range(2, 14)) -> bool:
    """Whether all rows are there, in their order, with these lines."""
    found = log.interactions.select("user_id", "item_id", "value", pl.col("timestamp").dt.epoch("s")).rows()
    return found == ROWS and log.interactions["line"].to_list() == list(numbers)


def put(name: str, content: str | bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Read as they are

TEXTS: dict[str, Callable[[str], bytes]] = {
    "UTF-16 with its mark": lambda text: text.encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-16 of the other order": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "gzip of UTF-16": lambda text: gzip.compress(text.encode("utf-16")),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "lines that end with CR": lambda text: text.replace("\n", "\r").encode(),
    "a separator at the end of rows only": lambda text: text.replace("\n", ",\n").replace("p,\n", "p\n").encode(),
}  # fmt: skip


@pytest.mark.parametrize("written", TEXTS.values(), ids=TEXTS)
def test_text_in_other_clothes_is_the_same_log(written: Callable[[str], bytes]) -> None:
    assert is_whole(ingest(put("log.csv", written(CSV))))


@pytest.mark.parametrize("before", ["# exported by the shop\n", "\n\n", "sep=,\n", "#a,b\n\n# c\n"])
def test_lines_before_the_header_are_passed_over_and_counted(before: str) -> None:
    log = ingest(put("log.csv", before + CSV))
    start = before.count("\n") + 2
    assert is_whole(log, range(start, start + 12))
    assert f"header in line {start - 1}" in detect(Path("log.csv"))[1]


def test_a_header_behind_a_hash_is_the_header() -> None:
    assert is_whole(ingest(put("log.csv", "#" + CSV)))


def test_a_json_array_is_read_whatever_its_line_breaks() -> None:
    for indent in (None, 1):
        assert is_whole(ingest(put("log.json", json.dumps(DICTS, indent=indent))), range(1, 13))


def test_an_array_that_breaks_off_is_an_error_that_names_the_element() -> None:
    path = put("log.json", json.dumps(DICTS)[:-20])
    with pytest.raises(DataError, match=r"log\.json: is a JSON array that breaks off: element 12 is not complete JSON"):
        ingest(path)


def test_lines_as_python_prints_them_are_read_and_broken_ones_set_aside() -> None:
    text = "\n".join(repr(row).replace("'user_id'", "u'user_id'") for row in DICTS)
    assert is_whole(ingest(put("log.json", text)), range(1, 13))
    log = ingest(put("log.json", text + "\n{'user_id': open('x')}\n"), quarantine=True)
    assert log.rejected.select("line", "reason").rows() == [(13, "not-json")]


def test_arrow_and_parquet_inside_a_zip_are_read() -> None:
    frame = pl.DataFrame(DICTS)
    frame.write_ipc("log.arrow")
    frame.write_parquet("log.parquet")
    with zipfile.ZipFile("log.zip", "w") as archive:
        archive.write("log.parquet")
    assert is_whole(ingest(Path("log.arrow")), range(1, 13))
    assert is_whole(ingest(Path("log.zip")), range(1, 13))


def test_the_only_table_in_a_zip_is_the_log() -> None:
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.writestr("data/", "")
        archive.writestr("data/events.csv", CSV)
        archive.writestr("__MACOSX/._events.csv", b"\0\5")
    assert is_whole(ingest(Path("archive.zip")))
    assert is_whole(ingest(Path("archive.zip"), mapping={"user_id": "user_id"}))


def test_the_only_log_among_the_tables_of_a_zip_is_taken_with_its_items() -> None:
    with zipfile.ZipFile("shop.zip", "w") as archive:
        archive.writestr("shop.items.csv", "item_id,title\ni0,Tea\ni1,Cup\ni2,Pot\n")
        archive.writestr("shop.interactions.csv", CSV)
    log = ingest(Path("shop.zip"))
    assert is_whole(log)
    assert log.items["title"].to_list() == ["Tea", "Cup", "Pot"]


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_a_folder_of_parts_is_one_log_whose_lines_are_numbered_through(kind: str) -> None:
    folder = Path("log")
    folder.mkdir()
    for number, first in enumerate((0, 5, 10)):
        path = folder / f"part-{number:05}.{kind}"
        some = pl.DataFrame(DICTS[first : first + 5])
        if kind == "parquet":
            some.write_parquet(path)
        elif kind == "jsonl":
            some.write_ndjson(path)
        else:
            put(str(path), gzip.compress(some.write_csv().encode()) if kind == "csv.gz" else some.write_csv())
    put("log/_SUCCESS", "")
    put("log/.part-00000.crc", b"\0")
    log = ingest(folder)
    lines = log.interactions["line"]
    assert log.interactions["user_id"].to_list() == [row[0] for row in ROWS]
    assert lines.is_sorted() and lines.n_unique() == 12
    assert "3 files" in detect(folder)[1]


def test_rows_of_a_part_are_set_aside_with_the_line_in_their_own_file() -> None:
    put("log/a.csv", f"{HEADER}\nu1,i1,3,{NOON}\nu1,i2,3,{NOON}\n")
    put("log/b.csv", f"{HEADER}\nu2,i1,3,soon\nu1,i2,3,{NOON}\nu2,i2,3,{NOON}\n")
    log = ingest(Path("log"), quarantine=True)
    assert log.rejected.select("file", "line", "reason").rows() == [("b.csv", 2, "bad-time"), ("b.csv", 3, "duplicate")]
    assert log.interactions["line"].to_list() == [2, 3, 7]


def test_parts_may_have_their_columns_in_another_order() -> None:
    put("log/a.csv", f"user_id,item_id,timestamp\nu1,i1,{NOON}\n")
    put("log/b.csv", f"timestamp,item_id,user_id\n{NOON},i2,u2\n")
    assert ingest(Path("log")).interactions.select("user_id", "item_id").rows() == [("u1", "i1"), ("u2", "i2")]


# Called by their name


def saved(kind: str) -> Path:
    path = Path(f"log.{kind}")
    if kind == "pkl":
        path.write_bytes(pickle.dumps(ROWS))
    elif kind == "db":
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE ratings (user_id, item_id)")
        database.close()
    elif kind == "xlsx":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml", "<workbook/>")
    elif kind == "tar.gz":
        put("log.csv", CSV)
        with tarfile.open(path, "w:gz") as archive:
            archive.add("log.csv")
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", CSV)
            archive.writestr("b.csv", CSV)
    else:
        put(str(path), {"html": "<!DOCTYPE html><p>a,b</p>", "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99,
                        "zst": b"\x28\xb5\x2f\xfd" + b"\0" * 9, "json": '{\n "a": [1, 2]\n}', "bin": bytes(range(256)),
                        "lfs": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"}[kind])  # fmt: skip
    return path


NAMED = {
    "pkl": "is a Python pickle", "db": "is an SQLite database with the tables ratings", "xlsx": "is an Excel workbook",
    "tar.gz": "is a tar archive", "html": "is a web page", "xls": "is an old Excel workbook",
    "zst": "is packed with Zstandard", "json": "is one JSON object, not one on each line", "bin": "is a binary file",
    "lfs": "is a pointer of Git LFS", "zip": "is a zip of 2 files, of which not exactly one is a log: a.csv, b.csv",
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_a_file_of_another_kind_is_called_by_its_name_with_a_way_on(kind: str) -> None:
    path = saved(kind)
    for options in ({}, {"reader": "table"}, {"mapping": {"user_id": "user_id"}}):
        with pytest.raises(DataError) as error:
            ingest(path, **options)  # type: ignore[arg-type]
        assert NAMED[kind] in error.value.found
        assert error.value.next_step


def test_a_folder_of_different_tables_names_its_files() -> None:
    put("data/users.csv", "a,b\n1,2\n")
    put("data/log.csv", CSV)
    with pytest.raises(DataError, match=r"2 files that are not parts of one table: log\.csv, users\.csv"):
        ingest(Path("data"))


@pytest.mark.parametrize("reader", plugins.names("readers"))
def test_no_sniffer_raises_whatever_the_file_is(reader: str) -> None:
    paths = [saved(kind) for kind in NAMED]
    whole = pl.DataFrame(DICTS)
    whole.write_parquet("cut.parquet")
    odd: dict[str, str | bytes] = {
        "cut.parquet": Path("cut.parquet").read_bytes()[:-9], "cut.zip": Path("log.zip").read_bytes()[:-30],
        "cut.gz": gzip.compress(CSV.encode())[:-12], "zeros": b"\0" * 200, "cr": "a,b\rc", "quote": '"a,b\nc',
        "empty": "", "utf16": CSV.encode("utf-16")[:-1], "nested": "[[1, 2], [3]]", "deep": "[" * 9000,
        "odd.json": "{'a': 1\n",
        "arrow": b"ARROW1" + b"\0" * 50, "nul.csv": CSV.replace("u1", "u\0"), "xz": b"\xfd7zXZ\x00\0\0",
    }  # fmt: skip
    paths += [put(name, content) for name, content in odd.items()]
    for path in [*paths, Path("missing"), Path()]:
        assert isinstance(plugins.load("readers", reader).sniff(path), str | None)


# Without a header


@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_a_file_without_a_header_is_told_with_a_mapping_that_loses_no_row(separator: str) -> None:
    text = "".join(f"A{n % 9},0{n % 7},{n % 5 + 1}.0,{NOON + n}\n" for n in range(60)).replace(",", separator)
    path = put("ratings.csv", text)
    with pytest.raises(DataError) as error:
        ingest(path)
    assert "seems to have no header: its columns are c1 (A0), c2 (00), c3 (1.0), c4 (1600000000)" in str(error.value)
    ready = "--mapping user_id=c1 --mapping item_id=c2 --mapping value=c3 --mapping timestamp=c4"
    assert error.value.next_step.endswith(ready)
    mapping: dict[str, Any] = dict(word.split("=") for word in ready.split() if "=" in word)
    log = ingest(path, mapping=mapping)
    assert (log.rows_in, log.interactions.height) == (60, 60)
    assert log.interactions["line"].to_list() == list(range(1, 61))
    assert log.interactions.row(0)[:2] == ("A0", "00")


def test_the_values_of_a_first_row_are_no_names_of_columns() -> None:
    path = put("ratings.csv", "".join(f"A{n},B{n},5,{NOON + n}\n" for n in range(9)))
    with pytest.raises(DataError, match="has no column 'A0', which the mapping names as user_id and seems to have no"):
        ingest(path, mapping={"user_id": "A0", "item_id": "B0", "timestamp": str(NOON)})


@pytest.mark.parametrize("header", ["user,item,2020,time", "wer,was,1,wann", "user_id,item_id,0,timestamp"])
def test_a_header_with_a_number_in_it_stays_a_header(header: str) -> None:
    names = header.split(",")
    path = put("log.csv", f"{header}\n" + "".join(f"u{n},i{n},{n},{NOON + n}\n" for n in range(9)))
    mapping = {"user_id": names[0], "item_id": names[1], "timestamp": names[3]}
    assert ingest(path, mapping=mapping).interactions.height == 9


# Columns


@pytest.mark.parametrize(
    "header",
    ["user_id:token,business_id:token,timestamp:float", "Customer Email,Lineitem sku,Created at",
     "user_pseudo_id,item-id,event_timestamp", "user_id,item_id,timestamp.$date",
     "USERID,MovieID,Time Stamp", "msno,song_id,played_at"],
)  # fmt: skip
def test_names_of_common_logs_are_known_in_any_spelling(header: str) -> None:
    path = put("log.csv", f"{header}\nu,i,{NOON}\n")
    assert ingest(path).interactions.row(0)[:2] == ("u", "i")


def test_columns_that_are_not_used_are_named() -> None:
    put("log.csv", f"user,item,time,price,shop\nu,i,{NOON},3,x\n")
    assert detect(Path("log.csv"))[1].endswith("; not used: price, shop")


def test_two_columns_of_one_name_are_refused_and_told_apart_by_position() -> None:
    path = put("log.csv", f"user_id,item_id,timestamp,timestamp\nu,i,{NOON - 99},{NOON}\n")
    with pytest.raises(DataError) as error:
        ingest(path)
    assert str(error.value) == (
        "log.csv: has 2 columns called 'timestamp', which is the timestamp: c3 and c4\n"
        "Expected one column of that name\n"
        "Say which one it is, e.g. --mapping timestamp=c4"
    )
    assert ingest(path, mapping={"timestamp": "c4"}).interactions["timestamp"].dt.epoch("s").to_list() == [NOON]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_key_inside_an_object_is_an_id_and_the_object_is_none(kind: str) -> None:
    frame = pl.DataFrame([{"user": {"id": "u1", "seen": 3}, "item": {"id": 7}, "time": NOON}])
    path = Path(f"log.{kind}")
    frame.write_ndjson(path) if kind == "jsonl" else frame.write_parquet(path)
    assert ingest(path).interactions.row(0)[:2] == ("u1", "7")
    assert ingest(path, mapping={"user_id": "user.seen"}).interactions.row(0)[:2] == ("3", "7")
    with pytest.raises(DataError, match=r"holds objects in the column 'user'[\s\S]*--mapping user_id=user\.id"):
        ingest(path, mapping={"user_id": "user"})


@pytest.mark.parametrize("item_columns", ["title", ["title"], {"title": 3}])
def test_item_columns_that_are_no_pairs_are_refused(item_columns: Any) -> None:
    with pytest.raises(DataError, match=r"mapping, item_columns: .* names no columns"):
        ingest(put("log.csv", CSV), mapping={"item_columns": item_columns})


def test_a_whole_table_in_one_json_object_is_told_with_the_way_to_its_rows() -> None:
    with pytest.raises(DataError) as error:
        ingest(put("log.json", json.dumps({"data": DICTS, "pages": []})))
    assert error.value.next_step == "With jq: jq -c '.[\"data\"][]' log.json > log.jsonl"


def test_keys_of_a_mongodb_export_are_known() -> None:
    row = {"_id": {"$oid": "5f"}, "user_id": {"$oid": "a1"}, "item_id": 7, "timestamp": {"$date": NOON * 1000}}
    log = ingest(put("log.jsonl", json.dumps(row) + "\n"))
    assert log.interactions.select("user_id", "item_id", pl.col("timestamp").dt.epoch("s")).rows() == [
        ("a1", "7", NOON)
    ]
