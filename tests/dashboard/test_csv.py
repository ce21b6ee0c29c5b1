"""Tables of pages as files: all of them, with the figures of the page, safe to open."""

from __future__ import annotations

import csv
import html
import re

import pytest

from dashboard.conftest import Board
from regraft.dashboard.pages import PAGES
from regraft.dashboard.table_csv import as_csv, table_of
from regraft.state import files
from regraft.state.aggregates import Aggregate, write
from regraft.state.database import transaction

MENU = [page.path for page in PAGES if page.group]
LINK = re.compile(r'<a href="([^"]+csv=([^"]+))" download>')


def rows_of(board: Board, path: str) -> list[list[str]]:
    """A file's rows, without the mark that tells a spreadsheet its encoding."""
    answer = board.client.get(path)
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(answer.content.decode("utf-8-sig").splitlines()))


def put(board: Board, *rows: Aggregate) -> None:
    with transaction(board.world.site.engine) as connection:
        write(connection, rows)


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("path", [*MENU, "/versions/shop-v000001"])
def test_every_table_of_a_page_can_be_had_as_a_file(board: Board, path: str, lang: str) -> None:
    put(board, *(Aggregate("2025-01-17", name, 0.5, 0.4, 0.6, 50) for name in ("ctr", "return_7", "storage_cost")))
    page = board.text(f"{path}?lang={lang}")
    links = LINK.findall(page)
    assert len(links) == page.count("<table")
    for address, key in links:
        rows = rows_of(board, html.unescape(address))
        table = page.split(f'id="table-{key}"')[1].split("</table>")[0]
        assert len(rows) == table.count("<tr"), key
        assert len({len(row) for row in rows}) == 1, key


def test_a_chart_becomes_one_row_per_day_with_plain_numbers(board: Board) -> None:
    put(board, *(Aggregate(f"2025-01-{day}", "ctr", 0.03125, 0.02, 0.04, 4321) for day in (16, 17)))
    rows = rows_of(board, "/?csv=overview-ctr")
    assert rows[0] == ["Day", "Click-through rate", "95 %: low", "95 %: high", "n"]
    assert rows[-1] == ["2025-01-17", "0.03125", "0.02", "0.04", "4321"]
    assert rows_of(board, "/?csv=overview-ctr&lang=ja")[0][:2] == ["日", "クリック率（CTR）"]


def test_arms_stand_in_a_column_of_their_own(board: Board) -> None:
    put(board, *(Aggregate("2025-01-17", "ctr", 0.5, 0.4, 0.6, 50, arm) for arm in ("control", "treatment")))
    assert [row[1] for row in rows_of(board, "/?csv=overview-ctr&arm=each")] == ["Arm", "control", "treatment"]


def test_curves_have_value_interval_and_people_in_columns_of_their_own(board: Board) -> None:
    arms = ("", "control", "treatment")
    put(
        board,
        *(Aggregate("2025-01-17", "staying", 0.9, 0.85, 0.95, 90, arm, "after=01") for arm in arms),
        Aggregate("2025-01-17", "gain_so_far", 1.5, -0.5, 3.5, 80, segment="after=01"),
        Aggregate("2025-01-17", "gain_so_far", 2.5, 1.0, 4.0, 8, segment="after=02"),
    )  # fmt: skip
    staying = rows_of(board, "/long-term?csv=long_term-staying&arm=each")
    assert staying[0] == ["Days since", "Arm", "Still there", "95 %: low", "95 %: high", "n"]
    assert ["1", "treatment", "0.9", "0.85", "0.95", "90"] in staying[1:]
    gain = rows_of(board, "/long-term?csv=long_term-gain_so_far&lang=ja")
    assert gain[0][0] == "経過日数" and gain[1:] == [["1", "1.5", "-0.5", "3.5", "80"]]


def test_the_cohort_map_hides_few_people_and_its_file_lacks_them(board: Board) -> None:
    put(
        board,
        Aggregate("2025-01-06", "cohort_return", 0.4375, 0.3, 0.6, 80, segment="after=01"),
        Aggregate("2025-01-13", "cohort_return", 0.777, 0.3, 0.6, 9, segment="after=01"),
    )
    page = board.text("/long-term")
    figure = page.split('<figure class="map"')[1].split("</figure>")[0]
    assert ">44\u00a0%</text>" in figure and 'class="heat-few"' in figure
    assert "78" not in figure and "77" not in page.split('id="table-long_term-cohort_return"')[1].split("</table>")[0]
    assert rows_of(board, "/long-term?csv=long_term-cohort_return") == [
        ["Week of", "Weeks since", "New people who return", "95 %: low", "95 %: high", "n"],
        ["2025-01-06", "1", "0.4375", "0.3", "0.6", "80"],
    ]


def test_a_file_says_no_more_of_few_people_than_the_page(board: Board) -> None:
    put(board, Aggregate("2025-01-16", "ctr", 0.123456, 0.1, 0.2, 9), Aggregate("2025-01-17", "ctr", 0.5, 0.4, 0.6, 50))
    assert [row[0] for row in rows_of(board, "/?csv=overview-ctr")] == ["Day", "2025-01-17"]
    put(board, Aggregate("2025-01-17", "ctr", 0.5, 0.4, 0.6, 9))
    assert board.client.get("/?csv=overview-ctr").status_code == 404


def test_a_file_is_named_after_the_site_the_table_and_the_newest_day(board: Board) -> None:
    answer = board.client.get("/updates?csv=updates")
    assert answer.headers["content-disposition"] == 'attachment; filename="shop-updates-2025-01-17.csv"'


@pytest.mark.parametrize("key", ["none", '"><script>', "..%2f..%2fstate.db"])
def test_a_table_that_is_not_there_is_told(board: Board, key: str) -> None:
    board.text(f"/updates?csv={key}", 404)


def test_a_text_that_would_run_in_a_spreadsheet_does_not(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        files.add(connection, files.Counts("=1+cmd|' /C calc'!A0", "0" * 64, 1, 1, 0, 0), ())
    assert "'=1+cmd|' /C calc'!A0" in [row[1] for row in rows_of(board, "/data?csv=batches")]


def test_formulas_are_text_and_numbers_stay_numbers() -> None:
    written = as_csv([["=a", "+b", "-c", "@d", "\te", "-0.5", None, 2]])
    assert written == "\ufeff'=a,'+b,'-c,'@d,'\te,-0.5,,2\r\n"


TABLE = """<div id="table-x"><table><tr><th>Day</th><th data-also="Range">Lift</th><th data-csv="no">Do</th><th>Why</th></tr>
<tr><th>1</th><td>+3.1\u00a0%<small>[+1.0\u00a0%, +5.2\u00a0%]</small></td><td><a>Go</a></td><td><i aria-hidden="true">✕</i> a<br>b &lt;c</td></tr>
<tr><th>1,234</th><td colspan="3">hidden</td></tr><tr><th>–</th><td>0.5</td><td></td><td>x<small>y</small></td></tr>
</table></div><div><table><tr><th>another</th></tr></table></div>"""  # noqa: E501


def test_cells_are_read_as_a_spreadsheet_wants_them() -> None:
    assert table_of(TABLE, "x") == [
        ["Day", "Lift", "Range", "Why"],
        ["1", "0.031", "[+1.0 %, +5.2 %]", "a; b <c"],
        ["1234", "hidden", "", ""],
        ["", "0.5", "", "x y"],
    ]
    assert table_of(TABLE, "y") == []
