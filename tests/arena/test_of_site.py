"""`regraft arena run SITE`: contenders compared on the site's own days."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest
import yaml

from cli.door import regraft
from regraft.arena.compare import Arena
from regraft.arena.of_site import site_config
from regraft.arena.open_arena import open_arena
from regraft.release.update import update
from regraft.setup.site import Site
from regraft.state.database import transaction
from regraft.workbench import CONTENDER, Workbench
from site_world import FIRST, SiteWorld


def state_of(site: Site) -> dict[str, str]:
    """sha256 of every file of a site but its reports."""
    files = (path for path in site.folder.rglob("*") if path.is_file() and site.reports not in path.parents)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_site_is_champion_and_challengers_and_the_cheap_rungs_on_its_own_days(world: SiteWorld) -> None:
    path = world.folder / "shop" / "regraft.yaml"
    options = yaml.safe_load(path.read_text()) | {"challengers": [{"use": "rates", "name": "quick"}], "seed": 3}
    path.write_text(yaml.safe_dump(options))
    config = site_config(world.folder / "shop")
    assert [c.label for c in config.contenders][:2] == ["stack", "quick"]
    assert {"popularity", "rates", "item-knn"} < {c.label for c in config.contenders}
    assert {c.kind for c in config.contenders} == {"baseline"}
    assert (config.seeds, config.data.label) == ((3,), world.site.options.data.label)
    arena, _ = open_arena(world.folder / "shop")
    site = world.site
    with transaction(site.engine) as connection:
        assert arena.stream.n_periods == len(site.cuts(connection).starts)
    assert arena.folder == world.folder / "shop" / "reports" / "arena"


def test_a_run_scores_as_the_updates_do_and_grows_with_the_site(world: SiteWorld) -> None:
    world.ingest(world.of(*world.days[FIRST : FIRST + 2]))
    done = update(world.site)
    config = site_config(world.folder / "shop")
    site = world.site
    with transaction(site.engine) as connection:
        number = len(site.cuts(connection).starts)
    config = config.model_copy(update={"contenders": config.contenders[:1], "first_update": number - 1})
    before = Arena(config, world.folder / "run")
    assert len(list(before.run())) == 1
    update(world.site)
    grown = Arena(config, world.folder / "run")
    (cell,) = [cell for cell, _ in grown.run() if cell.update == number]
    scored = cell.scores(grown.folder).filter(pl.col("period") == number + 1)["score"].to_numpy()
    version = Workbench(site, grown.stream).of_version(
        site.options.champion, site.versions / done.versions[0] / CONTENDER
    )
    np.testing.assert_array_equal(version.score(grown.stream.cases(number + 1)), scored)


@pytest.mark.slow
def test_a_run_writes_into_the_reports_of_the_site_and_leaves_the_rest_as_it_is(world: SiteWorld) -> None:
    before = state_of(world.site)
    heard = regraft("arena", "run", "shop", at=world.folder)
    assert heard.code == 0, heard.err
    assert "Report: shop/reports/arena/report.html" in heard.out
    assert state_of(world.site) == before
    again = regraft("arena", "report", "shop/reports/arena", at=world.folder)
    assert again.code == 0, again.err


def test_a_run_needs_a_site_or_a_file(world: SiteWorld) -> None:
    assert "needs a SITE or --config FILE" in regraft("arena", "run", at=world.folder).err
    assert "needs a SITE or --config FILE" in regraft("arena", "run", "shop", "-c", "x.yaml", at=world.folder).err
