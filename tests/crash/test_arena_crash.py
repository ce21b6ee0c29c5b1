"""A run that is killed at any moment and started again ends with the scores of a run that never stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crash.killed_runs import configuration
from regraft.arena.compare import Arena, Cell
from regraft.report.results import Results

TESTS = Path(__file__).parent.parent
MOMENTS = [
    "rename 1",  # the claim is written, but not yet in its place
    "open cost.json 1",  # scores of the first cell are written, its costs are not
    "rename 10",  # the fourth cell is whole, but not yet in its place
    "rename 15",  # all cells are there; scores.parquet is not yet in its place
    "rename 18",  # the last file of all
    "rename 5, rename 5, open cost.json 2",  # again and again
]


def kill(kind: str, folder: Path, moments: list[str]) -> None:
    command = [sys.executable, str(TESTS / "crash" / "killed_runs.py"), kind, str(folder), *moments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def unbroken(kind: str, folder: Path) -> Arena:
    arena = Arena(configuration(kind), folder)
    list(arena.run())
    return arena


def goes_on(kind: str, folder: Path, reference: Arena) -> list[Cell]:
    """Starts the killed run again, compares it, and gives the cells it found done."""
    arena = Arena(configuration(kind), folder)
    done = [cell for cell in arena.cells() if cell.folder(arena.folder).exists()]
    stamps = {p: p.stat().st_mtime_ns for cell in done for p in cell.folder(arena.folder).rglob("*")}
    found = [cell for cell, renewal in arena.run() if renewal is None]
    assert found == done
    assert stamps == {p: p.stat().st_mtime_ns for p in stamps}
    for name in ("scores.parquet", "cases.parquet"):
        assert (arena.folder / name).read_bytes() == (reference.folder / name).read_bytes()
    assert json.loads((arena.folder / "run.json").read_text())["finished"] is True
    assert Results.load(arena.folder).cells_done() == len(arena.cells())
    assert list(arena.folder.rglob("*.part*")) == []
    return found


@pytest.fixture(scope="module")
def baselines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arena]:
    folder = tmp_path_factory.mktemp("baselines")
    kill("baselines", folder, MOMENTS)
    return folder, unbroken("baselines", folder / "unbroken")


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=MOMENTS)
def test_a_killed_run_of_baselines_goes_on_and_ends_the_same(number: int, baselines: tuple[Path, Arena]) -> None:
    folder, reference = baselines
    found = goes_on("baselines", folder / str(number), reference)
    assert len(found) == [0, 0, 3, 6, 6, 3][number]


STRATEGY_MOMENTS = [
    "open adapter_config.json 1",  # the first adapter is trained, but not kept
    "open blend.json 2",  # the second update is scored, its blend is not saved
]


@pytest.fixture(scope="module")
def strategies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arena]:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    folder = tmp_path_factory.mktemp("strategies")
    kill("strategies", folder, STRATEGY_MOMENTS)
    return folder, unbroken("strategies", folder / "unbroken")


@pytest.mark.parametrize("number", range(len(STRATEGY_MOMENTS)), ids=STRATEGY_MOMENTS)
def test_a_killed_run_of_a_strategy_goes_on_and_ends_the_same(number: int, strategies: tuple[Path, Arena]) -> None:
    folder, reference = strategies
    assert len(goes_on("strategies", folder / str(number), reference)) == number
