"""The items of a log: what could not be read is counted and shown, and nothing is said that is not so."""

from __future__ import annotations

from pathlib import Path

import pytest

from regraft.data.ingest import Ingested, ingest

NOON = 1_600_000_000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shop(items: str | bytes, *ids: str, **mapping: str) -> Ingested:
    """The log of a shop in which these items were bought, with this item file."""
    Path("x.items.csv").write_bytes(items.encode() if isinstance(items, str) else items)
    rows = "".join(f"u{n},{item},{NOON + n}\n" for n, item in enumerate(ids))
    Path("x.interactions.csv").write_text("user_id,item_id,timestamp\n" + rows)
    return ingest(Path("x.interactions.csv"), mapping=mapping or None)


def titles(log: Ingested) -> dict[str, str]:
    return dict(log.items.select("item_id", "title").iter_rows())


LATIN = "item_id;title\na;Les Misérables\nb;Tea\n".encode("cp1252")


def test_item_rows_in_another_encoding_are_counted_and_shown() -> None:
    log = shop(LATIN, "a", "b")
    assert log.items_rejected.rows() == [("x.items.csv", 2, "encoding", "a;Les Mis\ufffdrables")]
    assert log.warnings == [
        "1 rows of the item file could not be read: bytes that are not valid text (name their encoding, e.g. "
        "--mapping encoding=cp1252), e.g. x.items.csv:2: a;Les Mis\ufffdrables",
        "1 of 2 items of the log are not among the rows of the item file that could be read; "
        "they are called 'item <id>'",
    ]


def test_item_rows_are_read_in_the_encoding_that_is_named_line_by_line() -> None:
    log = shop(LATIN + "c;七人の侍\n".encode(), "a", "b", "c", encoding="cp1252")
    assert titles(log) == {"a": "Les Misérables", "b": "Tea", "c": "七人の侍"}
    assert log.warnings == []


def test_quotes_behind_a_backslash_are_quotes() -> None:
    log = shop('"item_id";"title"\n"a";"Say \\"Yes\\"; again"\n"b";"C:\\dir"\n', "a", "b")
    assert titles(log) == {"a": 'Say "Yes"; again', "b": "C:\\dir"}


def test_item_rows_with_too_few_fields_are_counted_and_shown() -> None:
    log = shop("item_id,title\na,Tea, green\nb,Cup\n", "a", "b")
    assert log.items_rejected.select("line", "reason").rows() == [(2, "field-count")]
    assert "1 rows of the item file could not be read: wrong number of fields, e.g. x.items.csv:2" in log.warnings[0]


@pytest.mark.parametrize("name", ["line", "timestamp", "value", "item_id2", "event", "reason", "Book-Title"])
def test_an_attribute_may_have_any_name(name: str) -> None:
    log = shop(f"item_id,title,{name}\na,Tea,7\n", "a")
    assert log.items.rows() == [("a", "Tea", "7")]
    assert log.items.columns == ["item_id", "title", name]


def test_a_second_column_called_title_is_told() -> None:
    log = shop("item_id,title,title\na,Tea,Green tea\n", "a")
    assert titles(log) == {"a": "Tea"}
    assert log.warnings == ["the item file has several columns called 'title'; the first one is read"]


@pytest.mark.parametrize(
    ("ids", "known", "cause"),
    [
        (("108", "209"), ("0108", "0209"), "leading zeros were ignored"),
        (("1.0", "2.0"), ("1", "2"), "'.0' at their end was ignored"),
        (("A1", "B2"), ("a1 ", "b2"), "blanks around the ids and capital letters were ignored"),
    ],
)
def test_why_no_item_of_the_log_is_in_the_item_file_is_told(
    ids: tuple[str, ...], known: tuple[str, ...], cause: str
) -> None:
    log = shop("item_id,title\n" + "".join(f"{one},Tea\n" for one in known), *ids)
    assert log.warnings[0].startswith("2 of 2 items of the log are not in the item file")
    assert log.warnings[1].startswith(f"most of these would be found if {cause}")


def test_ids_that_are_simply_others_get_no_cause() -> None:
    assert len(shop("item_id,title\nx,Tea\n", "a", "b").warnings) == 1


def test_markup_of_web_pages_is_taken_out_and_counted() -> None:
    log = shop("item_id,title,brand\na,12&quot; Doll &amp; <b>Friends</b>,A &amp; B\nb,I <3 tea & milk,C\n", "a", "b")
    assert log.items.rows() == [("a", '12" Doll & Friends', "A & B"), ("b", "I <3 tea & milk", "C")]
    assert log.warnings == ["1 of 2 items had HTML entities or tags in their text; they were taken out"]


def test_titles_of_the_official_movielens_stay_as_published() -> None:
    Path("movies.dat").write_text("7::Et Dieu&#8230;::Drama\n")
    Path("ratings.dat").write_text("1::7::5::978300760\n")
    assert titles(ingest(Path("ratings.dat"))) == {"7": "Et Dieu&#8230;"}
