"""A simulated log by day, and the site in it: what tests of release and serving work on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from once import once
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE
from regraft.release.ingest import ingest
from regraft.release.init import init
from regraft.setup.site import Site
from regraft.state import lease
from regraft.state.files import Counts

FIRST = 12  # days in the log that the site is made from
KEY = "vault.key"


@dataclass
class SiteWorld:
    """The site lies in folder/shop."""

    folder: Path
    rows: pl.DataFrame
    items: pl.DataFrame

    @property
    def days(self) -> list[str]:
        return sorted(self.rows["timestamp"].dt.strftime("%Y-%m-%d").unique().to_list())

    def of(self, *days: str) -> pl.DataFrame:
        return self.rows.filter(self.rows["timestamp"].dt.strftime("%Y-%m-%d").is_in(list(days)))

    def write(self, name: str, rows: pl.DataFrame) -> Path:
        """A log file with its item file beside it."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        rows.drop("line").write_csv(folder / "interactions.csv")
        self.items.write_csv(folder / "items.csv")
        return folder / "interactions.csv"

    def copied(self, folder: Path, patch: pytest.MonkeyPatch | None = None) -> SiteWorld:
        """The same site in another folder; with `patch`, the key of that folder is the one in force from here on."""
        shutil.copytree(self.folder, folder)
        if patch:
            patch.setenv(VARIABLE, str(folder / KEY))
        return SiteWorld(folder, self.rows, self.items)

    @property
    def site(self) -> Site:
        return Site.open(self.folder / "shop")

    def ingest(self, rows: pl.DataFrame, name: str = "day") -> Counts:
        """Takes rows into the site."""
        site = self.site
        with lease.holding(site.engine, site.lease_name) as held:
            return ingest(site, self.write(name, rows), held)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> SiteWorld:
    """One small site, made once; nothing is changed in it."""
    simulated = simulate(DriftWorld(users=150, items=60, periods=FIRST + 4, seed=1, taste_change_at=None))

    def make(folder: Path) -> None:
        world = SiteWorld(folder, simulated.interactions, simulated.items)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, str(folder / KEY))
            init(folder / "shop", world.write("log", world.of(*world.days[:FIRST])))

    return SiteWorld(once(tmp_path_factory, "site", make), simulated.interactions, simulated.items)


@pytest.fixture
def world(made: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    """A copy of its own for every test."""
    return made.copied(tmp_path / "w", monkeypatch)
