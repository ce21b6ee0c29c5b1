"""An erased person whom a restored backup brings back is refused at once, learnt from by nobody, and erased again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from regraft.data.erased import VARIABLE, erased, erased_file
from regraft.errors import ConfigError, StateError
from regraft.privacy import certificate
from regraft.privacy.forget import forget
from regraft.privacy.scan import scan
from regraft.release.blocked import commitment, returned
from regraft.release.checkup import checkup
from regraft.release.update import update
from regraft.serving.service import GoneError, Service
from site_world import FIRST, SiteWorld


def problems(world: SiteWorld) -> list[str]:
    return [found.words for found in checkup(world.site) if found.problem]


def test_a_restored_backup_brings_nobody_back(world: SiteWorld, tmp_path: Path) -> None:
    user = "u003"
    shutil.copytree(world.site.folder, tmp_path / "backup")
    said: list[str] = []
    (proof,) = forget(world.site, [user], said.append)
    (uid,) = erased(world.site.folder)
    assert problems(world) == [] and scan(world.site, [uid])["data"] == 0
    proven = certificate.check(proof)["person"]
    shutil.rmtree(world.site.folder)
    (tmp_path / "backup").rename(world.folder / "shop")

    assert list(returned(world.site)) == [uid]
    assert [words for words in problems(world) if "1 people who were erased are here again" in words]
    world.ingest(world.of(world.days[FIRST]))
    with pytest.raises(StateError, match="erased are here again"):
        update(world.site)
    service = Service(world.site)
    with pytest.raises(GoneError):
        service.recommend(user, 3)
    service.stop()
    (again,) = forget(world.site, [], said.append)
    assert scan(world.site, [uid])["data"] == 0
    assert problems(world) == []
    assert certificate.check(again)["person"] == proven == commitment(user, _salt(said))
    assert update(world.site).state == "promoted"


def _salt(said: list[str]) -> str:
    (found,) = [line.split("salt ")[1] for line in said if "salt " in line]
    return found


def test_the_list_of_the_erased_lies_outside_of_every_site(world: SiteWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert erased_file().parent == world.folder
    monkeypatch.setenv(VARIABLE, str(world.site.folder / "erased.jsonl"))
    with pytest.raises(ConfigError, match="lies inside the site"):
        erased(world.site.folder)
