from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from regraft.data import store
from regraft.data.interactions import TIME
from regraft.errors import DataError


def rows(n: int = 6, hours: int = 10) -> pl.DataFrame:
    """Rows ten hours apart: three days."""
    start = datetime(2025, 1, 6, tzinfo=UTC)
    time = pl.Series([start + timedelta(hours=hours * k) for k in range(n)]).cast(TIME)
    frame = pl.DataFrame(
        {
            "row_id": range(n), "uid": [f"{k % 2:032x}" for k in range(n)], "item_id": [f"i{k}" for k in range(n)],
            "time": time, "known_at": time, "event": "click", "value": 1.0,
        }
    )  # fmt: skip
    empty = {name: pl.lit(None, dtype=store.STORED[name]) for name in ("request_id", "arm", "version", "position")}
    return frame.with_columns(**empty).with_columns(identity=store.identities(frame))


def test_rows_come_back_as_they_were_written_from_one_file_per_day(tmp_path):
    written = store.write(tmp_path, rows())
    assert [(file.day, file.rows) for file in written] == [("2025-01-06", 3), ("2025-01-07", 2), ("2025-01-08", 1)]
    assert store.read(tmp_path, written).equals(rows().select(store.STORED.names()))


def test_equal_rows_give_equal_files(tmp_path):
    assert store.write(tmp_path / "a", rows()) == store.write(tmp_path / "b", rows())


def test_chosen_columns_come_in_the_order_asked_for(tmp_path):
    written = store.write(tmp_path, rows())
    assert store.read(tmp_path, written, ["item_id", "row_id"]).columns == ["item_id", "row_id"]


def test_no_files_are_no_rows(tmp_path):
    assert store.read(tmp_path, []).schema == store.STORED


@pytest.mark.parametrize("harm", ["gone", "cut", "emptied", "flipped"])
def test_a_file_that_was_harmed_is_found_and_never_read_as_fewer_rows(tmp_path, harm):
    written = store.write(tmp_path, rows())
    path = tmp_path / written[1].name
    content = bytearray(path.read_bytes())
    if harm == "gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 255
        path.write_bytes({"cut": content[:-9], "emptied": b"", "flipped": content}[harm])
    assert list(store.damaged(tmp_path, written)) == [written[1]]
    if harm != "flipped":
        with pytest.raises(DataError, match="data file"):
            store.read(tmp_path, written)


def test_duckdb_reads_the_files_as_they_are(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    store.write(tmp_path, rows())
    counted = duckdb.sql(f"SELECT day(time), count(*) FROM '{tmp_path}/*/*.parquet' GROUP BY 1 ORDER BY 1").fetchall()
    assert counted == [(6, 3), (7, 2), (8, 1)]


def test_rows_that_say_the_same_are_told_apart_by_their_number():
    twice = pl.concat([rows(1), rows(1), rows(2)])
    found = store.identities(twice).to_list()
    assert len(set(found)) == 4
    assert found[0] == store.identities(rows(1))[0]


def test_an_event_id_is_the_identity_where_there_is_one():
    named = rows(3).with_columns(event_id=pl.Series(["a", None, "c"]))
    found = store.identities(named).to_list()
    assert (found[0], found[2]) == ("e:a", "e:c")
    assert found[1] == store.identities(rows(3))[1]


def test_rows_with_an_event_id_do_not_count_among_equal_rows_without_one():
    three = pl.concat([rows(1)] * 3)
    found = store.identities(three.with_columns(event_id=pl.Series(["a", None, None]))).to_list()
    assert found[1:] == store.identities(three)[:2].to_list()


def test_identities_are_found_in_files_of_any_day_however_they_are_read(tmp_path, monkeypatch):
    written = store.write(tmp_path, rows())
    asked = pl.concat([rows()["identity"].gather([5, 0]), pl.Series(["e:other"])])
    assert sorted(store.there(tmp_path, written, asked)) == sorted(asked[:2])
    monkeypatch.setattr(store, "CHUNK", 1)
    assert sorted(store.there(tmp_path, written, asked)) == sorted(asked[:2])
    assert store.there(tmp_path, [], asked).is_empty()


def test_an_empty_value_is_not_the_value_zero():
    none, zero = rows(1).with_columns(value=pl.lit(None, pl.Float64)), rows(1).with_columns(value=0.0)
    assert store.identities(none)[0] != store.identities(zero)[0]
