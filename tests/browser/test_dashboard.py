"""The dashboard in a real browser: journeys, both languages, themes, widths, keyboard, and no axe violation."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.dashboard_site import serving
from regraft.dashboard.export import MOST, export
from regraft.dashboard.pages import PAGES
from regraft.dashboard.view import View
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import summarise
from regraft.state import keys, ledger, pilots, versions
from regraft.state.database import transaction
from report.synthetic_results import DEFAULT, write_results
from site_world import FIRST, SiteWorld

MENU = [page.path for page in PAGES if page.group]
LAPTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
DONE = 240_000  # ms within which a job must have ended, on a busy machine too
OTHER = [
    "/versions/shop-v000001", "/versions/shop-v000009", "/prompts/1", "/jobs/1", "/jobs/77", "/sign-in", "/nowhere",
]  # fmt: skip


def looked_at(chromium, address: str, path: str, size: dict[str, int], scheme: str = "light"):
    """The page, and what its console complained of."""
    page = chromium.new_page(viewport=size, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address + path)
    return page, [line for line in said if "status of 4" not in line]


def violations(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


SLOW = pytest.mark.slow
EVERY = [
    pytest.param(path, lang, marks=SLOW if lang == "ja" or path in OTHER else ())
    for lang in ("en", "ja")
    for path in (*MENU, *OTHER)
]


@pytest.mark.parametrize(("path", "lang"), EVERY)
def test_a_page_is_accessible_quiet_and_not_too_wide(chromium, address: str, path: str, lang: str) -> None:
    page, said = looked_at(chromium, address, f"{path}?lang={lang}", LAPTOP)
    assert said == []
    for detail in page.locator("details").all():
        detail.evaluate("element => element.open = true")
    assert violations(page) == []
    for size in (LAPTOP, PHONE):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("path", [*MENU, *OTHER])
def test_the_dark_theme_has_enough_contrast(chromium, address: str, path: str) -> None:
    page, _ = looked_at(chromium, address, path, LAPTOP, "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert violations(page) == []
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_report_behind_the_arena_link_is_accessible(
    chromium, address: str, counted: SiteWorld, tmp_path: Path, lang: str, scheme: str
) -> None:
    results = Results.load(write_results(tmp_path / "run", DEFAULT, seeds=(0, 1)))
    write_report(results, counted.site.reports / f"{lang}.html", lang, summary=summarise(results, 50))
    page, said = looked_at(chromium, address, f"/arena?lang={lang}", LAPTOP, scheme)
    with page.expect_navigation():
        page.get_by_role("link", name=f"{lang}.html").click()
    assert page.locator("h1").count() == 1 and said == []
    page.goto(
        (counted.site.reports / f"{lang}.html").as_uri()
    )  # the dashboard serves it without scripts: nor would axe run
    for detail in page.locator("details").all():
        detail.evaluate("element => element.open = true")
    assert violations(page) == []
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("act", ["update", "rollback?version=shop-v000001", "approve?template=1", "live?template=1"])
def test_a_confirmation_is_accessible_and_not_too_wide(
    chromium, address: str, counted: SiteWorld, act: str, lang: str
) -> None:
    with transaction(counted.site.engine) as connection:
        key = keys.make(connection, f"{act[:4]}-{lang}", ("operate",))
    page, said = looked_at(chromium, address, f"/act/{act}{'&' if '?' in act else '?'}lang={lang}", LAPTOP)
    page.locator("#key").fill(key)
    page.locator("form.sign-in button").click()
    assert page.locator("dl.facts").is_visible() and said == []
    assert violations(page) == []
    for size in (LAPTOP, PHONE):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.close()


def test_values_are_read_by_pointer_and_by_arrow_keys(chromium, address: str) -> None:
    page, _ = looked_at(chromium, address, "/?weeks=4", LAPTOP)
    figure = page.locator("#overview-ctr figure")
    reading = figure.locator(".reading")
    figure.focus()
    page.keyboard.press("End")
    assert reading.inner_text().startswith("2025-01-17 · ")
    page.keyboard.press("ArrowLeft")
    assert reading.inner_text().startswith("2025-01-16 · ")
    page.keyboard.press("Home")
    assert reading.inner_text().startswith("2024-12-21 · ")
    box = figure.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.92, box["y"] + 40)
    assert reading.inner_text().startswith("2025-01-1")
    page.close()


def test_all_that_a_page_says_is_there_without_its_script(chromium, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport=LAPTOP)
    page = context.new_page()
    page.goto(address + "/?weeks=4")
    page.locator("#overview-ctr details.data summary").click()
    assert page.locator("#overview-ctr tr[data-at]").count() == 28
    assert not page.locator("button.copy").first.is_visible()
    page.select_option("select[name=segment]", "people=new")
    page.get_by_role("button", name="Show").click()
    assert "segment=people%3Dnew" in page.url
    context.close()


def test_the_first_tab_stop_leads_to_the_content(chromium, address: str) -> None:
    page, _ = looked_at(chromium, address, "/", LAPTOP)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.close()


@pytest.mark.slow
def test_an_engineer_puts_a_day_in_and_takes_it_back(chromium, world: SiteWorld) -> None:
    """Journey: sign in, close the next day, read why, go back to the version before."""
    world.ingest(world.of(world.days[FIRST]))
    site = world.site
    with transaction(site.engine) as connection:
        key = keys.make(connection, "engineer", ("operate",))
    with serving(site) as address:
        page, said = looked_at(chromium, address, "/updates", LAPTOP)
        page.get_by_role("link", name="Close the next day").click()
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        assert page.locator("h2", has_text="Close the next day").is_visible()
        assert "What is at risk" in page.locator("dl.facts").inner_text()
        page.get_by_role("button", name="Yes: Close the next day").click()
        page.wait_for_selector("text=Exit code 0", timeout=DONE)
        page.get_by_role("link", name="Versions").click()
        page.locator("tr", has_text="shop-v000001").get_by_role("link", name="Go back to it").click()
        page.get_by_role("button", name="Yes: Go back to it").click()
        page.wait_for_selector("text=Exit code 0", timeout=DONE)
        page.get_by_role("link", name="Versions").click()
        assert "regraft rollback" in page.locator("main").inner_text()
        assert said == []
        page.close()
    with transaction(site.engine) as connection:
        champion = versions.alias(connection, "champion")
        kinds = [entry.kind for entry in ledger.entries(connection)]
    assert champion and champion.version == "shop-v000001"
    assert kinds[-4:] == ["asked", "promoted", "asked", "rolled back"]


def test_an_owner_reads_in_japanese_and_stops_a_pilot(chromium, world: SiteWorld) -> None:
    """Journey: overview, pilot, long term, cost; then stop, with a key that may."""
    site = world.site
    terms = {
        "control": "stack", "treatment": "rates", "designed": "A plan.", "more_weeks": 0, "curve": [],
        "plan": {"primary": "clicks", "minimum_lift": 0.05, "n": 400, "weeks": 2},
    }  # fmt: skip
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
        pilots.add(connection, "spring", _whole(terms), 1)
        pilots.start(connection, "spring", 0.25, cuts.end, 2)
        key = keys.make(connection, "owner", ("operate",))
    with serving(site) as address:
        page, said = looked_at(chromium, address, "/?lang=ja", LAPTOP)
        for name in ("試験", "長期", "費用と効果", "試験"):
            page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
            assert page.locator("h1").inner_text() == name
        assert "試験を続けてください" in page.locator("main").inner_text() or page.locator(".light.extend").count()
        page.get_by_role("link", name="試験を終了する").click()
        page.get_by_label("鍵").fill(key)
        page.get_by_role("button", name="サインイン").click()
        page.get_by_role("button", name="はい：試験を終了する").click()
        page.wait_for_selector("text=終了コード 0", timeout=DONE)
        assert said == []
        page.close()
    with transaction(site.engine) as connection:
        assert pilots.named(connection, "spring").state == "stopped"


def _whole(terms: dict) -> dict:
    from regraft.pilot.terms import Terms

    return Terms.model_validate(terms).model_dump(mode="json")


def test_one_offline_file_holds_all_pages(chromium, counted: SiteWorld, tmp_path: Path) -> None:
    out = export(counted.site, tmp_path / "board.html", View("ja", 104))
    assert out.stat().st_size < MOST
    text = out.read_text(encoding="utf-8")
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")
    page = chromium.new_page(viewport=LAPTOP)
    page.goto(out.as_uri())
    assert page.locator("article").count() == len(MENU)
    assert page.evaluate("document.documentElement.scrollWidth") <= LAPTOP["width"]
    assert violations(page) == []
    page.close()
