"""What holds for every reader, whatever its format."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft import plugins
from regraft.data.interactions import INTERACTIONS, QUARANTINE, REASONS, Batch
from regraft.data.readers import lines
from regraft.errors import DataError

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NOON = 1_600_000_000  # 2020-09-13 12:26:40 UTC
NEXT_WEEK = int(NOW.timestamp()) + 7 * 86_400


@dataclass(frozen=True)
class Format:
    """A format, and how its rows are written: with a separator, or as JSON under four keys."""

    reader: str
    file: str
    separator: str = ""
    keys: tuple[str, ...] = ()
    header: str = ""
    second: int = 1  # units of time in a second
    utf8: bool = True

    def line(self, user: str, item: str, value: str, time: str) -> bytes:
        if self.separator:
            return self.separator.join((user, item, value, time)).encode()
        row = dict(zip(self.keys, (user, item, bare(value), bare(time)), strict=True))
        return json.dumps(row, ensure_ascii=False).encode()

    def row(self, user: str = "u1", item: str = "i1", value: str = "4", seconds: int = NOON) -> bytes:
        return self.line(user, item, value, str(seconds * self.second))

    @property
    def first(self) -> int:
        """Number of the first row's line."""
        return 2 if self.header else 1

    def content(self, rows: Sequence[bytes], end: bytes = b"\n") -> bytes:
        return b"".join(row + end for row in ([self.header.encode()] if self.header else []) + list(rows))

    def read(self, path: Path) -> Batch:
        batches = list(plugins.load("readers", self.reader).interactions(path, now=NOW))
        return Batch(pl.concat([b.rows for b in batches]), pl.concat([b.rejected for b in batches]))


def bare(text: str) -> object:
    """A number where the text is one, so that JSON shows it without quotes."""
    return int(text) if text.isdecimal() else text


FORMATS = [
    Format("movielens-100k", "u.data", "\t", utf8=False),
    Format("movielens-1m", "ratings.dat", "::", utf8=False),
    Format("movielens-csv", "ratings.csv", ",", header="userId,movieId,rating,timestamp"),
    Format("amazon-2018", "Beauty_5.json", keys=("reviewerID", "asin", "overall", "unixReviewTime")),
    Format("amazon-2023", "Beauty.jsonl", keys=("user_id", "parent_asin", "rating", "timestamp"), second=1000),
    Format("table", "log.csv", ",", header="user,item,rating,time"),
    Format("table", "log.tsv", "\t", header="user\titem\trating\ttime"),
    Format("table", "log.jsonl", keys=("user", "item", "rating", "time")),
]
every_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.reader}-{form.file}")


def bad_rows(form: Format) -> Iterator[tuple[str, bytes]]:
    """(reason, row) for every reason that the format can have."""
    good, time = form.row(), str(NOON * form.second)
    yield from (("empty-id", row) for row in (form.row(user=""), form.row(item="  ")))
    yield from (("bad-time", form.line("u1", "i1", "4", text)) for text in ("97830-2760", "", "nan", "1e999"))
    yield from (("bad-value", form.line("u1", "i1", text, time)) for text in ("four", "", "nan", "-inf", "1e999"))
    yield from (("future", form.line("u1", "i1", "4", text)) for text in (str(NEXT_WEEK * form.second), "9" * 17))
    yield from (
        ("early", form.line("u1", "i1", "4", text)) for text in ("0", str(-NOON), str(500_000_000 * form.second))
    )
    if form.utf8:
        yield "empty-id", form.row(user="\u3000")
        yield "encoding", form.row(user="caf@").replace(b"@", b"\xe9")
    if form.separator:
        yield from (("field-count", row) for row in (good + form.separator.encode() + b"5", good[:4], b" "))
    else:
        yield "empty-id", b"{}"
        yield "nested-id", form.row().replace(b'"i1"', b'["i1", "i2"]')
        yield from (("not-json", row) for row in (good[:-1], b"[1]", b"7", b"null", b"   ", good + b"x"))


@pytest.mark.parametrize(
    ("form", "reason", "row"),
    [
        pytest.param(form, reason, row, id=f"{form.file}-{reason}-{number}")
        for form in FORMATS
        for number, (reason, row) in enumerate(bad_rows(form))
    ],
)
def test_a_bad_row_is_set_aside_with_its_file_line_reason_and_text(
    form: Format, reason: str, row: bytes, tmp_path: Path
) -> None:
    path = tmp_path / form.file
    path.write_bytes(form.content([form.row(item="before"), row, form.row(item="after")]))
    batch = form.read(path)
    assert batch.rows["item_id"].to_list() == ["before", "after"]
    assert batch.rejected.rows() == [(form.file, form.first + 1, reason, row.decode("utf-8", "replace"))]


@every_format
def test_bad_rows_cover_every_reason_of_the_readers(form: Format) -> None:
    possible = set(REASONS) - {"duplicate"}  # a matter of the whole log
    possible -= {"not-json", "nested-id"} if form.separator else {"field-count"}
    possible -= set() if form.utf8 else {"encoding"}  # in ISO-8859-1 every byte is a character
    assert {reason for reason, _ in bad_rows(form)} == possible


@every_format
def test_rows_arrive_in_file_order_in_the_canonical_schema(form: Format, tmp_path: Path) -> None:
    path = tmp_path / form.file
    path.write_bytes(form.content([form.row("007", "x", "3", NOON), form.row("8", "y", "4", NOON - 5)]))
    batch = form.read(path)
    assert batch.rows.schema == INTERACTIONS
    assert batch.rejected.schema == QUARANTINE
    when = datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert batch.rows.rows() == [
        ("007", "x", when, "rating", 3.0, form.first),
        ("8", "y", when - timedelta(seconds=5), "rating", 4.0, form.first + 1),
    ]


@every_format
def test_blank_lines_crlf_a_byte_order_mark_and_a_missing_last_newline_are_no_rows(
    form: Format, tmp_path: Path
) -> None:
    path = tmp_path / form.file
    rows = [form.row(item="x"), b"", form.row(item="y"), form.row(item="z")]
    path.write_bytes(b"\xef\xbb\xbf" + form.content(rows, end=b"\r\n").removesuffix(b"\r\n"))
    batch = form.read(path)
    assert batch.rejected.is_empty()
    assert batch.rows["item_id"].to_list() == ["x", "y", "z"]
    assert batch.rows["line"].to_list() == [form.first, form.first + 2, form.first + 3]


@every_format
def test_blocks_of_any_size_give_the_same_rows(form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / form.file
    bad = [row for _, row in bad_rows(form)]
    rows = [row for number in range(40) for row in (form.row(item=f"i{number}"), bad[number % len(bad)])]
    path.write_bytes(form.content(rows))
    whole = form.read(path)
    monkeypatch.setattr(lines, "BLOCK", 150)
    blocks = form.read(path)
    assert blocks.rows.equals(whole.rows)
    assert blocks.rejected.equals(whole.rejected)
    assert whole.rows.height == whole.rejected.height == 40


@every_format
def test_a_file_of_bad_rows_only_gives_no_rows(form: Format, tmp_path: Path) -> None:
    path = tmp_path / form.file
    path.write_bytes(form.content([form.line("", "", "", "")] * 3))
    batch = form.read(path)
    assert (batch.rows.height, batch.rejected.height) == (0, 3)


@every_format
def test_raw_text_of_a_bad_row_is_cut_at_200_characters(form: Format, tmp_path: Path) -> None:
    path = tmp_path / form.file
    path.write_bytes(form.content([form.row(), form.row(user="", item="日" * 500)]))
    assert len(form.read(path).rejected["text"][0]) == 200


@every_format
def test_the_reader_recognises_its_file_by_content_not_by_name(form: Format, tmp_path: Path) -> None:
    path = tmp_path / "download.bin"
    path.write_bytes(form.content([form.row("1", "2")]))
    assert plugins.load("readers", form.reader).sniff(path)
    path.write_bytes(b"<html><body>Not found</body></html>\n")
    assert plugins.load("readers", form.reader).sniff(path) is None


@every_format
def test_a_gzip_file_reads_like_the_plain_one(form: Format, tmp_path: Path) -> None:
    plain, packed = tmp_path / form.file, tmp_path / (form.file + ".gz")
    plain.write_bytes(form.content([form.row(item="x"), b"broken", form.row(item="y")]))
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert form.read(packed).rows.equals(form.read(plain).rows)


@every_format
def test_a_gzip_file_that_was_cut_off_is_one_clear_error(form: Format, tmp_path: Path) -> None:
    path = tmp_path / (form.file + ".gz")
    path.write_bytes(gzip.compress(form.content([form.row(item=f"{n * n}") for n in range(2000)]))[:-600])
    with pytest.raises(DataError, match="cannot be read"):
        form.read(path)


@every_format
def test_a_missing_file_is_one_clear_error(form: Format, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        form.read(tmp_path / form.file)


@pytest.mark.parametrize("form", FORMATS[:3], ids=lambda form: form.reader)
def test_a_zip_reads_like_the_folder(form: Format, tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    folder.mkdir()
    (folder / form.file).write_bytes(form.content([form.row("1", "2"), form.row("", "3"), form.row("3", "4")]))
    packed = tmp_path / "ml.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(folder / form.file, f"ml/{form.file}")
    module = plugins.load("readers", form.reader)
    assert module.sniff(packed) == module.sniff(folder) == module.sniff(tmp_path) is not None
    for other in (folder, tmp_path):  # the folder, or one above it
        assert form.read(packed).rows.equals(form.read(other).rows)
        assert form.read(packed).rejected.equals(form.read(other).rejected)


@pytest.mark.parametrize("form", FORMATS[:3], ids=lambda form: form.reader)
def test_a_folder_or_zip_without_the_log_says_what_is_missing(form: Format, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    for path in (tmp_path, tmp_path / "other.zip"):
        assert plugins.load("readers", form.reader).sniff(path) is None
        with pytest.raises(DataError, match=f"holds no {form.file}"):
            form.read(path)


@pytest.mark.parametrize(
    ("form", "unit", "factor"),
    [
        pytest.param(form, unit, factor, id=f"{form.reader}-{unit}")
        for form in FORMATS
        for unit, factor in (("seconds", 1), ("milliseconds", 1000), ("microseconds", 10**6))
        if form.reader != "table" and factor != form.second  # the table finds the unit by itself
    ],
)
def test_times_in_a_wrong_unit_are_an_error_that_names_the_likely_one(
    form: Format, unit: str, factor: int, tmp_path: Path
) -> None:
    path = tmp_path / form.file
    path.write_bytes(form.content([form.line("u1", "i1", "4", str(NOON * factor))] * 3))
    with pytest.raises(DataError, match=f"these are likely {unit}: {NOON * factor} would be 2020-09-13 12:26:40 UTC"):
        form.read(path)


@every_format
def test_a_log_that_lies_in_the_future_as_a_whole_is_an_error(form: Format, tmp_path: Path) -> None:
    path = tmp_path / form.file
    path.write_bytes(form.content([form.row(seconds=NEXT_WEEK)]))
    with pytest.raises(DataError, match="no time lies between 1990 and now"):
        form.read(path)


@every_format
def test_a_time_within_a_day_from_now_is_no_error(form: Format, tmp_path: Path) -> None:
    path = tmp_path / form.file
    path.write_bytes(form.content([form.row(), form.row(seconds=int(NOW.timestamp()) + 86_400)]))
    assert form.read(path).rejected.is_empty()


MANGLED = st.lists(
    st.one_of(
        st.just(None),  # leaves the row as it is
        st.tuples(st.integers(0, 60), st.integers(0, 10), st.binary(max_size=6)),  # where, how long, replacement
    ),
    max_size=30,
)


@every_format
@settings(max_examples=25, deadline=None)
@given(changes=MANGLED)
def test_rows_in_are_rows_accepted_and_quarantined_however_lines_are_mangled(
    form: Format, changes: list[tuple[int, int, bytes] | None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [form.row(item="first")]
    for change in changes:
        row = form.row()
        if change is not None:
            start, length, inserted = change
            # A quote may join lines into one record, which has tests of its own.
            row = row[:start] + inserted.replace(b'"', b"'") + row[start + length :]
        rows.append(row)
    path = tmp_path_factory.getbasetemp() / form.file
    path.write_bytes(form.content(rows))
    batch = form.read(path)
    found = path.read_bytes().replace(b"\r\n", b"\n").split(b"\n")[form.first - 1 :]
    assert batch.rows.height + batch.rejected.height == sum(bool(line) for line in found)
    numbers = [*batch.rows["line"], *batch.rejected["line"]]
    assert len(set(numbers)) == len(numbers)
    assert set(batch.rejected["reason"]) <= set(REASONS)
    untouched = sum(line == form.row() for line in found)
    assert batch.rows.height >= untouched
