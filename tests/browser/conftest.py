"""One dashboard with numbers in it, for all tests of a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser.dashboard_site import cohorts, fill, made_up, serving, staying
from regraft.prompts.template import source_of
from regraft.state import jobs
from regraft.state.database import transaction
from regraft.studio.shelf import save_text
from site_world import SiteWorld


@pytest.fixture(scope="session")
def counted(made: SiteWorld, tmp_path_factory: pytest.TempPathFactory) -> SiteWorld:
    """A site with nine weeks of numbers, of three arms and a segment, a draft, a job; nothing is changed in it."""
    world, arms = made.copied(tmp_path_factory.mktemp("counted") / "w"), ("", "control", "treatment")
    site = world.site
    fill(site, made_up(63, arms), made_up(28, ("",), ("people=new",)), staying(arms), cohorts())
    save_text(site, source_of("judge-brief")[0], "Mia", "mine")
    with transaction(site.engine) as connection:
        job = jobs.ask(connection, "update", ("update", str(site.folder)), "owner", 1)
        jobs.put(
            connection, job.id, jobs.DONE, {"lines": ["2025-01-17: promoted, the champion is shop-v000001"], "code": 0}
        )
    return world


@pytest.fixture(scope="session")
def address(counted: SiteWorld) -> Iterator[str]:
    """Its dashboard."""
    with serving(counted.site) as found:
        yield found
