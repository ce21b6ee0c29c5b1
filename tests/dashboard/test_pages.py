"""Pages as the server writes them."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta

import pytest
from fastapi.testclient import TestClient

from dashboard.conftest import HOST, Board
from regraft.dashboard.app import make_app
from regraft.dashboard.dashboard_words import FILES, WORDS
from regraft.dashboard.pages import PAGES
from regraft.release.cost import CURVE
from regraft.release.runs import APPROVED
from regraft.state import files, ledger
from regraft.state.aggregates import Aggregate, write
from regraft.state.database import transaction
from site_world import SiteWorld

MENU = [page.path for page in PAGES if page.group]


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("path", MENU)
def test_a_page_has_one_heading_and_no_inline_style_or_script(board: Board, path: str, lang: str) -> None:
    text = board.text(f"{path}?lang={lang}")
    assert f'<html lang="{lang}">' in text
    assert text.count("<h1") == 1
    assert "style=" not in text and "<style" not in text
    assert re.findall(r"<script[^>]*>", text) == ['<script src="/static/dashboard.js" defer>']
    assert "http://" not in text.replace(HOST, "") and "https://" not in text


def test_the_policy_of_a_page_allows_nothing_from_elsewhere(board: Board) -> None:
    policy = board.client.get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy


def test_a_phrase_stands_in_one_file_of_words_alone() -> None:
    assert len(WORDS) == sum(len(file.WORDS) for file in FILES)


def test_every_phrase_is_said_in_both_languages_with_the_same_places() -> None:
    for key, (english, japanese) in WORDS.items():
        assert english and japanese, key
        assert set(re.findall(r"{(\w+)}", japanese)) <= set(re.findall(r"{(\w+)}", english)), key


def test_a_number_is_shown_with_its_interval_and_the_people_behind_it(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        write(connection, [Aggregate("2025-01-17", "ctr", 0.0312, 0.0287, 0.0338, 4321)])
    text = board.text("/")
    assert "3.12\u00a0%" in text and "[2.87\u00a0%, 3.38\u00a0%] · n = 4,321 people" in text
    assert "Clicked items / shown items" in text


def test_what_nine_people_did_is_hidden_and_so_is_their_number(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        write(connection, [Aggregate("2025-01-17", "ctr", 0.123456, 0.1, 0.2, 9)])
    text = board.text("/")
    assert "Hidden for privacy: fewer than 10 people" in text
    assert "12.35" not in text and "n = 9" not in text


def test_an_arm_with_hardly_anybody_is_too_little_data_and_one_with_nobody_says_so(board: Board) -> None:
    arms = [("control", 0.25, 0.21, 0.29, 400), ("treatment", 0.0, math.nan, math.nan, 12)]
    with transaction(board.world.site.engine) as connection:
        write(connection, [Aggregate("2025-01-17", "complaints", *own, arm=arm) for arm, *own in arms])
        write(connection, [Aggregate("2025-01-17", "satisfaction", math.nan, math.nan, math.nan, 0, arm="treatment")])
    text = board.text("/long-term?arm=each")
    assert "<b>too little data</b> <small>(n = 12; needs 30)</small>" in text
    own = text.split('id="long_term-complaints"')[1].split("</section>")[0]
    assert "25.00\u00a0%" in own and "no interval" not in own and "0.00\u00a0%" not in own
    assert "Nobody stands behind it" in text.split('id="long_term-satisfaction"')[1].split("</section>")[0]


def test_what_a_pilot_adds_up_to_is_drawn_day_by_day_and_said_to_be_too_early(board: Board) -> None:
    assert "gain_so_far" not in board.text("/long-term")
    points = [
        Aggregate("2025-01-17", "gain_so_far", 0.1 * k, 0.1 * k - 0.2, 0.1 * k + 0.2, 80, segment=f"after={k:02d}")
        for k in range(15)
    ]
    with transaction(board.world.site.engine) as connection:
        write(connection, points)
    text = board.text("/long-term")
    assert "Too early: nobody of each arm has been watched for 28 days" in text
    own = text.split('id="long_term-gain_so_far"')[1].split("</section>")[0]
    assert "[1.200, 1.600]" in own and "n = 80 people" in own and "<svg" in own


def test_arms_are_compared_with_each_other_and_not_with_who_is_left_outside_of_the_pilot(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        for arm in ("champion", "control", "treatment"):
            write(connection, [Aggregate("2025-01-17", "ctr", 0.5, 0.4, 0.6, 50, arm=arm)])
    own = board.text("/?arm=each").split('id="overview-ctr"')[1].split("</section>")[0]
    assert re.findall(r'<th scope="col">(\w+)</th>', own) == ["Day", "control", "treatment"]
    assert own.count("60.00\u00a0%] · n = 50</small>") == 2
    assert "50.00\u00a0%" in board.text("/?arm=champion").split('id="overview-ctr"')[1].split("</section>")[0]


def test_a_figure_without_numbers_says_what_is_missing(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        write(connection, [Aggregate("2025-01-17", "retained_week", 0.00002, -0.0003, 0.0003, 50)])
        write(
            connection, [Aggregate("2025-01-17", "ctr", 0.5, 0.4, 0.6, 50, arm=arm) for arm in ("control", "treatment")]
        )
    text = board.text("/long-term?arm=each")
    assert "measures, dissatisfied" in text.split('id="long_term-complaints"')[1].split("</section>")[0]
    assert "choose “all”" in text.split('id="long_term-retained_week"')[1].split("</section>")[0]
    assert "silent for 14 days counts as gone" in text.split('id="long_term-gain_so_far"')[1].split("</section>")[0]
    assert "<b>+0.0000</b> <small>[-0.0003, +0.0003]" in board.text("/long-term")


def test_a_segment_is_an_address(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        rows = [
            Aggregate("2025-01-17", "ctr", value, value - 0.1, value + 0.1, 50, segment=s)
            for s, value in (("", 0.5), ("new", 0.25))
        ]
        write(connection, rows)
    assert "25.00\u00a0%" in board.text("/?segment=new")
    assert "50.00\u00a0%" in board.text("/")
    assert '<option value="new" selected>' in board.text("/?segment=new")


def test_an_address_that_means_nothing_shows_the_page_as_ever(board: Board) -> None:
    assert board.text("/?weeks=banana&until=soon&lang=xx&segment=%00") == board.text("/?segment=%00")


def test_an_old_newest_day_is_said_to_be_stale(board: Board) -> None:
    text = board.text("/")
    assert re.search(r"The newest numbers are \d+ days old: the last day closed is 2025-01-17", text)


def test_titles_and_names_from_data_are_literal(board: Board) -> None:
    counts = files.Counts("<script>alert(1)</script>.csv", "0" * 64, 1, 1, 0, 0)
    with transaction(board.world.site.engine) as connection:
        files.add(connection, counts, ())
        ledger.append(connection, "note", {"text": "<img src=x onerror=alert(2)>"}, 1)
    assert "&lt;script&gt;alert(1)" in board.text("/data") and "<script>alert" not in board.text("/data")
    assert "&lt;img src=x" in board.text("/versions") and "<img" not in board.text("/versions")


def test_a_version_that_does_not_exist_is_an_error_with_its_cause(board: Board) -> None:
    text = board.text("/versions/shop-v999999", 409)
    assert "version &#39;shop-v999999&#39;: does not exist" in text


def test_a_changed_ledger_is_told_on_the_page_of_versions_alone(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        connection.exec_driver_sql("UPDATE ledger SET kind = 'kept' WHERE id = 1")
    assert "was changed, dropped or moved" in board.text("/versions", 409)
    board.text("/updates")


def test_aliases_and_kinds_of_entries_are_told_in_the_language_of_the_page(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        ledger.append(connection, "promoted by hand", {}, 1)
        ledger.append(connection, "what a later version does", {}, 1)
    assert "<td>champion</td>" in board.text("/versions") and "<td>promoted by hand</td>" in board.text("/versions")
    text = board.text("/versions?lang=ja")
    assert "<td>公開中</td>" in text and "<td>手動で公開</td>" in text and "<td>what a later version does</td>" in text


def test_days_that_were_approved_are_told_from_the_first_to_the_last(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        ledger.append(connection, APPROVED, {"from": "2025-01-03", "to": "2025-01-09", "days": []}, 1)
    assert "<td>2025-01-03 → 2025-01-09</td>" in board.text("/versions")


def test_a_site_that_has_closed_no_day_says_what_to_do(world: SiteWorld) -> None:
    with transaction(world.site.engine) as connection:
        for table in ("alias_history", "aliases", "versions", "periods", "runs", "files", "batches"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    client = TestClient(make_app(world.site), base_url=HOST)
    for path in MENU:
        answer = client.get(path)
        assert answer.status_code == 200, path
    assert "This site has closed no day yet" in client.get("/").text
    assert "regraft init" in client.get("/").text


def test_a_report_is_shown_as_its_file_is_and_may_run_nothing(board: Board) -> None:
    assert f"regraft arena run {board.world.site.folder}" in board.text("/arena")
    (board.world.site.reports / "arena.html").write_text("<style>b{}</style><b>report</b>")
    assert "/reports/arena.html" in board.text("/arena")
    answer = board.client.get("/reports/arena.html")
    assert answer.text == "<style>b{}</style><b>report</b>"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["../state.db", "%2e%2e/regraft.yaml", "log/x.jsonl", "none.html", "../../vault.key"])
def test_nothing_but_reports_can_be_read(board: Board, name: str) -> None:
    assert board.client.get(f"/reports/{name}").status_code in (404, 409)


def test_another_name_of_the_machine_is_refused(board: Board) -> None:
    assert board.client.get("/", headers={"host": "evil.example"}).status_code == 400


def test_beyond_this_machine_pages_need_a_key(world: SiteWorld) -> None:
    client = TestClient(make_app(world.site, open_to_all=False), base_url=HOST, follow_redirects=False)
    for path in [*MENU, "/reports/arena.html", "/jobs/1"]:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"][:8]) == (303, "/sign-in"), path


def test_the_cost_page_says_which_update_frequency_pays_once_it_was_measured(board: Board) -> None:
    assert "has not been measured on this site yet" in board.text("/cost")
    place = board.world.site.reports / CURVE
    place.parent.mkdir(parents=True)
    place.write_text('[{"every": 1, "auc": 0.75, "seconds": 36}, {"every": 7, "auc": 0.75, "seconds": 6}]')
    said = "Daily costs 0.000833 USD a day more than weekly and earns 0 USD more: it does not pay."
    assert said in board.text("/cost")
    assert "見合いません" in board.text("/cost?lang=ja")


def test_two_years_are_drawn_and_listed_by_week(board: Board) -> None:
    newest = date(2025, 1, 17)
    days = [(newest - timedelta(days=k)).isoformat() for k in range(728)]
    with transaction(board.world.site.engine) as connection:
        write(connection, [Aggregate(day, "ctr", 0.5, 0.4, 0.6, 50) for day in days])
    listed = re.findall(
        r'<tr data-at="[\d.]+"><th scope="row">(.*?)<', board.text("/?weeks=104").split('id="overview-ctr"')[1]
    )
    assert listed[:104] == sorted(days[::7])
