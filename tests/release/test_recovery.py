import os
import subprocess
import sys
from pathlib import Path

import pytest

from regraft.errors import ModelError
from regraft.files import remove
from regraft.release.recovery import recover, working
from regraft.release.rollback import rollback
from regraft.release.update import update
from regraft.setup.site import Site
from regraft.state import lease, versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

DAY = 24 * 3600.0


def recovered(site: Site) -> dict[str, int]:
    with lease.holding(site.engine, site.lease_name) as held:
        return recover(site, held)


def made_old(*paths: Path) -> None:
    for path in paths:
        for one in (path, *path.rglob("*")):
            os.utime(one, (0, 0))


def killed_update(site: Site, step: str) -> None:
    code = (
        "from pathlib import Path; from regraft.setup.site import Site; from regraft.release.update import update\n"
        f"update(Site.open(Path({str(site.folder)!r})))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "REGRAFT_CRASH_AFTER": step}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -9


def damage(site: Site, version: str) -> tuple[Path, bytes]:
    path = next((site.versions / version).rglob("*.npz"))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    return path, content


def state_of(site: Site, version: str) -> str:
    with transaction(site.engine) as connection:
        return versions.version(connection, version).state


def test_what_no_row_lists_is_removed_after_a_day(world: SiteWorld) -> None:
    site = world.site
    day = next(path for path in site.data.iterdir() if path.name != "items")
    orphan, staged = day / "0123.parquet", site.versions / ".staging" / "0123" / "stack"
    orphan.write_bytes(b"killed before it was listed")
    staged.mkdir(parents=True)
    kept = {path for path in site.data.glob("*/*") if path != orphan}
    assert recovered(site) == {"taken_back": 0, "removed": 0, "damaged": 0}
    made_old(orphan, staged.parent)
    assert recovered(site) == {"taken_back": 0, "removed": 2, "damaged": 0}
    assert set(site.data.glob("*/*")) == kept
    assert not staged.exists()


def test_a_version_that_was_published_and_not_named_is_taken_up_by_its_run(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    killed_update(world.site, "publish")
    made = world.site.versions / "shop-v000002"
    written = (made / "renewed.json").stat().st_mtime_ns
    said: list[str] = []
    assert update(world.site, tell=said.append).state == "promoted"
    assert (made / "renewed.json").stat().st_mtime_ns == written
    assert not any("learns" in words for words in said)


def test_a_half_published_version_is_removed_and_made_again(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    killed_update(world.site, "publish")
    damage(world.site, "shop-v000002")
    assert recovered(world.site)["taken_back"] == 0
    assert not (world.site.versions / "shop-v000002").exists()
    assert update(world.site).versions == ("shop-v000002",)


def test_a_damaged_champion_is_said_with_the_way_back_and_nothing_goes_on_from_it(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    world.ingest(world.of(world.days[FIRST + 1]))
    path, content = damage(world.site, "shop-v000002")
    with pytest.raises(ModelError, match=r"regraft rollback .*/shop shop-v000001"):
        update(world.site)
    assert state_of(world.site, "shop-v000002") == "damaged"
    path.write_bytes(content)  # from a backup
    assert recovered(world.site)["damaged"] == 0
    assert state_of(world.site, "shop-v000002") == "good"
    damage(world.site, "shop-v000002")
    with working(world.site, "ingest"):  # rows are taken in all the same
        pass
    rollback(world.site, "shop-v000001")
    assert update(world.site).state == "promoted"
    with transaction(world.site.engine) as connection:
        assert versions.version(connection, "shop-v000003").lineage["parent"] == "shop-v000001"


def test_a_version_whose_folder_is_gone_counts_as_damaged(world: SiteWorld) -> None:
    remove(world.site.versions / "shop-v000001")
    assert recovered(world.site)["damaged"] == 1
