"""A small site whose challenger reads prompts; two periods are closed, one day has not come yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
import yaml

from arena.small_runs import LABEL, SMALL_BASE
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE, load_key
from regraft.release.ingest import ingest
from regraft.release.init import first_close
from regraft.release.recovery import working
from regraft.setup.site import DAY, Site
from regraft.setup.site_options import FILE
from site_world import SiteWorld


@dataclass
class Studio:
    """`next_day` are the rows of the day after the last one closed."""

    world: SiteWorld
    next_day: pl.DataFrame

    @property
    def site(self) -> Site:
        return self.world.site

    @property
    def folder(self) -> Path:
        return self.world.folder / "shop"


@pytest.fixture(scope="session")
def made_studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "vault.key"))
        simulated = simulate(DriftWorld(users=80, items=30, periods=9, seed=1, taste_change_at=None))
        world = SiteWorld(folder, simulated.interactions, simulated.items)
        options = {
            "name": "shop", "data": {"label": LABEL}, "champion": {"use": "popularity"},
            "challengers": [{"use": "analytic"}], **SMALL_BASE,
        }  # fmt: skip
        (folder / "shop").mkdir()
        (folder / "shop" / FILE).write_text(yaml.safe_dump(options))
        load_key(folder / "shop", make=True)
        site = Site.open(folder / "shop")
        end = int(simulated.interactions["timestamp"].dt.epoch("ms").max()) // DAY * DAY
        with working(site, "init") as held:
            ingest(site, world.write("log", world.of(*world.days[:-1])), held)
            first_close(site, held, ([end - 5 * DAY, end - DAY], end))
    return Studio(world, world.of(world.days[-1]))


@pytest.fixture
def studio(made_studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A copy of its own for every test."""
    return Studio(made_studio.world.copied(tmp_path / "w", monkeypatch), made_studio.next_day)


DRAFT = """\
{# What a test saves. #}
{% block head %}What one person clicked, in order. Yes: clicked. No: not clicked.
{% endblock %}
{% block event %}{{ item.title }}{% if item.genres %} ({{ item.genres }}){% endif %} {{ facts.item_rate }}{% endblock %}
{% block yes %} Yes
{% endblock %}
{% block no %} No
{% endblock %}
"""


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jinja"
    path.write_text(DRAFT, encoding="utf-8")
    return path
