"""Tables of any kind: column names, times, types, items, and real Parquet files where they are at hand."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from regraft.data.interactions import Batch
from regraft.data.readers import table as reader
from regraft.data.readers.table import Mapping
from regraft.errors import DataError

SHARED = Path(os.environ.get("REGRAFT_DATA") or Path(__file__).parents[4] / "shared" / "data")
NOW = datetime(2024, 1, 1, tzinfo=UTC)
NOON = 1_600_000_000  # 2020-09-13 12:26:40 UTC


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, **mapping: Any) -> Batch:
    batches = list(reader.interactions(path, mapping=mapping or None, now=NOW))
    return Batch(pl.concat([b.rows for b in batches]), pl.concat([b.rejected for b in batches]))


def times(path: Path, *texts: str, **mapping: Any) -> list[str | None]:
    """What a CSV with these times gives; None where the time is rejected."""
    write(path, "user;item;time\n" + "".join(f"u;i;{text}\n" for text in texts))
    rows = read(path, **mapping).rows
    found = dict(zip(rows["line"], rows["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S%.3f"), strict=True))
    return [found.get(line) for line in range(2, 2 + len(texts))]


# Column names


@pytest.mark.parametrize(
    "header",
    ["user_id,item_id,timestamp,rating", "userId,movieId,ts,value", "reviewerID,asin,unixReviewTime,Overall"],
)
def test_well_known_column_names_need_no_mapping(header: str, tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"{header}\nu1,i1,{NOON},4\n")
    row = read(path).rows.row(0)
    assert (row[0], row[1], row[3], row[4]) == ("u1", "i1", "rating", 4.0)
    assert reader.sniff(path) is not None


def test_what_was_recognised_is_said_in_words(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"user\titem_id\tts\nu1\ti1\t{NOON}\n")
    assert reader.sniff(path) == "TSV table with user as user_id, item_id, ts as timestamp"


def test_any_column_names_are_read_with_a_mapping(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"wer,was,wann,wie,art,sonst\nu1,i1,{NOON},3,kauf,x\n")
    assert reader.sniff(path) is None
    rows = read(path, user_id="wer", item_id="was", timestamp="wann", value="wie", event="art").rows
    assert rows.row(0) == ("u1", "i1", datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC), "kauf", 3.0, 2)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_may_name_their_event_in_every_kind_of_table(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"log.{kind}"
    rows = pl.DataFrame({"user": "u", "item": "i", "time": NOON, "nr": [7, None, 8]})
    {"csv": rows.write_csv, "jsonl": rows.write_ndjson, "parquet": rows.write_parquet}[kind](path)
    assert read(path, event_id="nr").rows["event_id"].to_list() == ["7", None, "8"]
    assert "event_id" not in read(path).rows.columns


def test_a_column_called_event_id_needs_no_mapping_and_blanks_name_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"user,item,time,Event ID\nu,i,{NOON}, a \nu,i,{NOON},  \n")
    assert read(path).rows["event_id"].to_list() == ["a", None]
    assert "event_id" not in read(path, event_id="").rows.columns


def test_a_log_without_ratings_is_implicit(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "log.csv", f"user,item,time\nu1,i1,{NOON}\n")).rows
    assert rows.select("event", "value").row(0) == ("interaction", None)


def test_an_empty_column_name_says_that_the_log_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"user,item,time,score\nu1,i1,{NOON},junk\n")
    assert read(path, value="").rows.select("event", "value").row(0) == ("interaction", None)


def test_events_without_a_value_are_good_where_the_log_names_its_events(tmp_path: Path) -> None:
    text = f"user,item,time,rating,event\nu,i,{NOON},,click\nu,i,{NOON},5,rating\nu,i,{NOON},x,rating\nu,i,{NOON}, ,\n"
    batch = read(write(tmp_path / "log.csv", text))
    assert batch.rows.select("event", "value").rows() == [("click", None), ("rating", 5.0), ("rating", None)]
    assert batch.rejected["reason"].to_list() == ["bad-value"]


def test_a_missing_column_is_an_error_that_lists_the_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"wer,item,time\nu1,i1,{NOON}\n")
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value) == (
        "log.csv: has no column known to be user_id; its columns are wer, item, time\n"
        "Expected as user_id one of user_id, user, uid, reviewer_id, customer_id, visitor_id, member_id, "
        "account_id, ...\n"
        "Name it in the mapping, e.g. --mapping user_id=wer"
    )


def test_a_mapped_column_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"user,item,time\nu1,i1,{NOON}\n")
    with pytest.raises(DataError) as error:
        read(path, user_id="wer")
    assert str(error.value) == (
        "log.csv: has no column 'wer', which the mapping names as user_id\n"
        "Expected one of its columns: user, item, time"
    )


def test_an_unknown_mapping_key_unit_or_zone_is_an_error() -> None:
    with pytest.raises(DataError, match="'user' is not a key\nExpected one of user_id, item_id, timestamp"):
        Mapping.of({"user": "wer"})
    with pytest.raises(DataError, match="'minutes' is not a unit\nExpected one of s, ms, us, ns, iso, auto"):
        Mapping.of({"time_unit": "minutes"})
    with pytest.raises(DataError, match="'Mars' is not a time zone"):
        Mapping(time_zone="Mars")


@pytest.mark.parametrize("text", ["", "just one line", "<html>\n", "a\n1\n"])
def test_a_file_that_is_no_table_is_an_error(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", text)
    assert reader.sniff(path) is None
    with pytest.raises(DataError, match=r"holds nothing|has no columns|is a web page"):
        read(path)


# Times


@pytest.mark.parametrize("factor", [1, 1000, 10**6, 10**9])
def test_the_unit_of_numeric_times_is_found(factor: int, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    assert times(path, str(NOON * factor), str((NOON + 1) * factor)) == [
        "2020-09-13 12:26:40.000",
        "2020-09-13 12:26:41.000",
    ]


def test_every_row_is_read_in_its_own_unit(tmp_path: Path) -> None:
    texts = (*(str(NOON * factor) for factor in (1000, 1, 10**6, 10**9)), "2020-09-13 12:26:40", "20200913122640")
    assert times(tmp_path / "log.csv", *texts) == ["2020-09-13 12:26:40.000"] * 6
    assert times(tmp_path / "log.csv", *texts, time_unit="ms") == ["2020-09-13 12:26:40.000", *[None] * 5]


def test_fractions_of_a_second_are_kept_to_the_millisecond(tmp_path: Path) -> None:
    assert times(tmp_path / "log.csv", f"{NOON}.25", "1.6e9") == [
        "2020-09-13 12:26:40.250",
        "2020-09-13 12:26:40.000",
    ]


def test_iso_times_are_read_with_and_without_zone(tmp_path: Path) -> None:
    texts = (
        "2020-09-13", "2020-09-13 12:26", "2020-09-13T12:26:40.123456", "2020-09-13T12:26:40Z",
        "2020-09-13T12:26:40+09:00", "2020-09-13 12:26:40 -0230", "2020-02-30", "13.09.2020", "noon",
        "2020-09-13 12:26:40 UTC", "2020-09-13 12:26:40GMT", "2020-09-13 12:26:40.5+02", "2020/9/13 7:05", "20200913",
        "2020-09-13 12:26:40 CET",
    )  # fmt: skip
    assert times(tmp_path / "log.csv", *texts) == [
        "2020-09-13 00:00:00.000", "2020-09-13 12:26:00.000", "2020-09-13 12:26:40.123", "2020-09-13 12:26:40.000",
        "2020-09-13 03:26:40.000", "2020-09-13 14:56:40.000", None, None, None,
        "2020-09-13 12:26:40.000", "2020-09-13 12:26:40.000", "2020-09-13 10:26:40.500", "2020-09-13 07:05:00.000",
        "2020-09-13 00:00:00.000", None,
    ]  # fmt: skip


def test_naive_times_are_wall_clock_time_in_the_zone_of_the_mapping(tmp_path: Path) -> None:
    texts = (
        "2021-01-15 12:00",
        "2021-07-15 12:00",
        "2021-03-28 02:30",
        "2021-10-31 02:30",
        "2021-07-15T12:00Z",
    )
    assert times(tmp_path / "log.csv", *texts, time_zone="Europe/Berlin") == [
        "2021-01-15 11:00:00.000",
        "2021-07-15 10:00:00.000",
        None,  # the hour that summer time skips
        "2021-10-31 00:30:00.000",  # the earlier of two
        "2021-07-15 12:00:00.000",
    ]


def test_a_declared_unit_that_cannot_be_right_is_an_error_that_names_the_likely_one(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        times(tmp_path / "log.csv", "978300760000", time_unit="s")
    assert str(error.value) == (
        "log.csv: no time lies between 1990 and now when read as seconds; the first in the column 'time' is "
        "978300760000\n"
        "Expected seconds since 1970-01-01 UTC; these are likely milliseconds: "
        "978300760000 would be 2000-12-31 22:12:40 UTC\n"
        "Read the log with the mapping time_unit: ms, or convert its times."
    )


@pytest.mark.parametrize("texts", [("1", "2", "3"), ("1969-01-01", "1970-05-05"), ("2099-01-01",)])
def test_times_that_fit_no_unit_are_an_error(texts: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no other unit fits either"):
        times(tmp_path / "log.csv", *texts)


# Types of Parquet


def parquet(path: Path, **columns: Any) -> Path:
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_whole_numbers_stay_whole_as_ids(tmp_path: Path) -> None:
    path = parquet(tmp_path / "log.parquet", user=[7.0, None], item=[12, 13], time=[NOON, NOON])
    batch = read(path)
    assert batch.rows.select("user_id", "item_id", "line").rows() == [("7", "12", 1)]
    assert batch.rejected.rows() == [("log.parquet", 2, "empty-id", '{"user": null, "item": 13, "time": 1600000000}')]


def test_typed_times_are_read_with_and_without_zone(tmp_path: Path) -> None:
    moment = datetime(2020, 9, 13, 12, 26, 40, 123456)
    for values, expected in (
        ([moment], "2020-09-13T12:26:40.123000+00:00"),
        ([date(2020, 9, 13)], "2020-09-13T00:00:00+00:00"),
        (pl.Series([moment]).dt.replace_time_zone("Asia/Tokyo"), "2020-09-13T03:26:40.123000+00:00"),
        (pl.Series(["2020-09-13"], dtype=pl.Categorical), "2020-09-13T00:00:00+00:00"),
    ):
        path = parquet(tmp_path / "log.parquet", user=["u"], item=["i"], time=values)
        assert read(path).rows["timestamp"][0].isoformat() == expected


def test_typed_values_that_are_no_numbers_are_bad(tmp_path: Path) -> None:
    values = [4.5, float("nan"), float("inf"), None]
    path = parquet(tmp_path / "log.parquet", user=["u"] * 4, item=list("abcd"), time=[NOON] * 4, rating=values)
    batch = read(path)
    assert batch.rows["value"].to_list() == [4.5]
    assert batch.rejected.select("line", "reason").rows() == [
        (2, "bad-value"),
        (3, "bad-value"),
        (4, "bad-value"),
    ]


def test_true_and_false_are_one_and_zero(tmp_path: Path) -> None:
    path = parquet(tmp_path / "log.parquet", user=["u"] * 2, item=["a", "b"], time=[NOON] * 2, rating=[True, False])
    assert read(path).rows["value"].to_list() == [1.0, 0.0]


def test_an_empty_parquet_file_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame(schema={"user": pl.String, "item": pl.String, "time": pl.Int64}).write_parquet(path)
    assert list(reader.interactions(path)) == []


def test_a_parquet_file_that_was_cut_off_is_one_clear_error(tmp_path: Path) -> None:
    path = parquet(tmp_path / "log.parquet", user=["u"], item=["i"], time=[NOON])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read(path)


# Items


def test_items_lie_beside_the_log_and_bring_their_attributes(tmp_path: Path) -> None:
    path = write(tmp_path / "shop.interactions.csv", f"user,item,time\nu,i,{NOON}\n")
    write(tmp_path / "shop.items.csv", 'id,name,brand\ni,"日本, 茶",Ito\nj,,\n')
    assert reader.items(path).collect().rows(named=True) == [
        {"item_id": "i", "title": "日本, 茶", "brand": "Ito"},
        {"item_id": "j", "title": None, "brand": None},
    ]
    assert [source.name for source in reader.sources(path)] == ["shop.interactions.csv", "shop.items.csv"]


def test_the_mapping_names_the_item_table_and_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"user,item,time\nu,i,{NOON}\n")
    goods = write(tmp_path / "goods.csv", "nr;bezeichnung;marke;preis\ni;Tee;Ito;3\n")
    mapping = {
        "items": str(goods),
        "item_columns": {"item_id": "nr", "title": "bezeichnung", "brand": "marke"},
    }
    found = reader.items(path, mapping=mapping).collect()
    assert found.rows(named=True) == [{"item_id": "i", "title": "Tee", "brand": "Ito"}]


def test_lists_of_words_become_text(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"user,item,time\nu,i,{NOON}\n")
    row = {"item_id": "i", "title": "[REC]", "genres": ["Horror", "Drama"], "year": 2007}
    as_json = write(tmp_path / "items.jsonl", json.dumps(row) + "\n")
    as_parquet = parquet(tmp_path / "items.parquet", **{key: [value] for key, value in row.items()})
    for file in (as_json, as_parquet):
        assert reader.items(path, file=file).collect().rows() == [("i", "[REC]", "Horror, Drama", "2007")]


def test_items_without_a_title_column_have_null_titles(tmp_path: Path) -> None:
    path = write(tmp_path / "x.interactions.csv", f"user,item,time\nu,i,{NOON}\n")
    write(tmp_path / "x.items.csv", "item_id,brand\ni,Ito\n")
    assert reader.items(path).collect().rows() == [("i", None, "Ito")]


def test_a_log_alone_has_no_items(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", f"user,item,time\nu,i,{NOON}\n")
    assert reader.items(path).collect().columns == ["item_id", "title"]


def test_a_gzip_item_table_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.interactions.csv", f"user,item,time\nu,i,{NOON}\n")
    (tmp_path / "x.items.csv").write_bytes(gzip.compress(b"item_id,title\ni,Tea\n"))
    assert reader.items(path).collect().rows() == [("i", "Tea")]


# Real data


@pytest.mark.parametrize(
    ("name", "rows", "users", "items", "valued"),
    [
        ("amazon-electronics-2023", 131_154, 15_266, 9_671, True),
        ("amazon-2014-books", 517_167, 38_234, 38_519, False),
        ("amazon-2014-beauty", 198_215, 22_332, 12_086, False),
    ],
)
def test_real_parquet_files_need_no_mapping(name: str, rows: int, users: int, items: int, valued: bool) -> None:
    path = SHARED / f"{name}.interactions.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} is not at hand (set REGRAFT_DATA)")
    assert reader.sniff(path)
    batch = read(path)
    assert (batch.rows.height, batch.rejected.height) == (rows, 0)
    assert batch.rows["user_id"].n_unique() == users
    assert batch.rows["value"].is_not_null().all() is valued
    assert set(batch.rows["event"]) == {"rating" if valued else "interaction"}
    catalogue = reader.items(path).collect()
    assert catalogue.height == items
    assert catalogue["title"].null_count() == 0
