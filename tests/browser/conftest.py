"""One browser for all, and the small site of every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser.dashboard_site import BROWSER, FLAGS, cohorts, fill, made_up, serving, staying
from regraft.prompts.template import source_of
from regraft.state import jobs
from regraft.state.database import transaction
from regraft.studio.shelf import save_text
from site_world import SiteWorld, made, world

__all__ = ["made", "world"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Debian's Chromium, driven by Playwright."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(made: SiteWorld) -> Iterator[str]:
    """A dashboard with nine weeks of numbers, of three arms and a segment, a draft, a job and a report."""
    site = made.site
    arms = ("", "control", "treatment")
    fill(site, made_up(63, arms), made_up(28, ("",), ("people=new",)), staying(arms), cohorts())
    save_text(site, source_of("judge-brief")[0], "Mia", "mine")
    with transaction(site.engine) as connection:
        job = jobs.ask(connection, "update", ("update", str(site.folder)), "owner", 1)
        jobs.put(
            connection, job.id, jobs.DONE, {"lines": ["2025-01-17: promoted, the champion is shop-v000001"], "code": 0}
        )
    with serving(site) as found:
        yield found
