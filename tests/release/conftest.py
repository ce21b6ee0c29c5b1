"""One small site of the drift world, made once; every test works on a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE
from regraft.release.init import init
from site_world import FIRST, SiteWorld


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> SiteWorld:
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "vault.key"))
        simulated = simulate(DriftWorld(users=150, items=60, periods=FIRST + 4, seed=1, taste_change_at=None))
        world = SiteWorld(folder, simulated.interactions, simulated.items)
        init(folder / "shop", world.write("log", world.of(*world.days[:FIRST])))
    return world


@pytest.fixture
def world(made: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    shutil.copytree(made.folder, tmp_path / "w")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "w" / "vault.key"))
    return SiteWorld(tmp_path / "w", made.rows, made.items)
