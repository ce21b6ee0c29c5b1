"""One small shop for all commands: its log, a configuration, a base model, a finished run. Tests only read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.door import regraft

SHOP = """\
name: shop
data:
  path: log/interactions.parquet
  label: event == "click"
  periods: {n: 4, warm_up: 0.3}
base:
  path: BASE
  nano: {layers: 1, width: 32, heads: 2, vocabulary: 400, epochs: 1}
timeline: {context: 2, targets: 10}
adapter: {rank: 2}
fit: {epochs: 1}
contenders: CONTENDERS
"""


def written(path: Path, base: str = "null", contenders: str = "[never, fine-tune, rates]") -> Path:
    path.write_text(SHOP.replace("BASE", base).replace("CONTENDERS", contenders))
    return path


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with log/, shop.yaml (its base is not there yet), with-base.yaml and cheap.yaml (baselines only)."""
    folder = tmp_path_factory.mktemp("shop")
    made = regraft("data", "simulate", "log", "--users", 80, "--items", 40, at=folder)
    assert made.code == 0, made.err
    written(folder / "shop.yaml")
    written(folder / "with-base.yaml", base="base")
    written(folder / "cheap.yaml", contenders="[popularity, rates]")
    return folder


@pytest.fixture(scope="session")
def base(shop: Path) -> Path:
    """A base model of 26,000 weights."""
    built = regraft("base", "build", "base", "-c", "shop.yaml", at=shop)
    assert built.code == 0, built.err
    assert "base was built in" in built.out
    assert "regraft base show base" in built.out
    return shop / "base"


@pytest.fixture(scope="session")
def finished(shop: Path, base: Path) -> Path:
    """The folder of a run with two strategies and a baseline."""
    done = regraft("arena", "run", "-c", "with-base.yaml", "--out", "run", at=shop)
    assert done.code == 0, done.err
    (shop / "said.txt").write_text(done.out)
    return shop / "run"
