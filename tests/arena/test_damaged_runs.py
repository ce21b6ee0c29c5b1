"""A run whose files were damaged: what is damaged is named and worked out again, everything else is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from arena.small_runs import SMALL_BASE, config, run, scores
from regraft.arena.compare import Arena
from regraft.arena.run_report import report_run
from regraft.errors import ResultsError


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zeros(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def other(path: Path) -> None:
    path.write_text("[]")


def without_rows(path: Path) -> None:
    pl.read_parquet(path).head(-3).write_parquet(path)


def without_numbers(path: Path) -> None:
    pl.read_parquet(path).with_columns(score=pl.lit(float("nan"))).write_parquet(path)


def without_column(path: Path) -> None:
    pl.read_parquet(path).drop("score").write_parquet(path)


DAMAGE = [
    *(("scores.parquet", how) for how in (cut, empty, zeros, other, without_rows, without_numbers, without_column)),
    ("scores.parquet", Path.unlink),
    *(("cost.json", how) for how in (cut, empty, zeros, other)),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return run(tmp_path_factory.mktemp("whole") / "run")


def copy_of(arena: Arena, folder: Path) -> Arena:
    shutil.copytree(arena.folder, folder)
    found = Arena(arena.config, folder)
    found.tell = lambda words: (folder / "told.txt").open("a").write(words + "\n")
    return found


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=lambda one: getattr(one, "__name__", one))
def test_a_damaged_cell_is_named_and_worked_out_again(
    name: str, damage: Callable[[Path], object], whole: Arena, tmp_path: Path
) -> None:
    arena = copy_of(whole, tmp_path / "run")
    cell = arena.cells()[3]
    damage(cell.folder(arena.folder) / name)
    stamps = {p: p.stat().st_mtime_ns for p in arena.folder.rglob("cells/*/*/*/*") if "003" not in str(p)}
    done = {str(one): renewal is None for one, renewal in arena.run()}
    assert done == {str(one): one != cell for one in arena.cells()}
    assert scores(arena).equals(scores(whole))
    told = (arena.folder / "told.txt").read_text()
    assert str(cell.folder(arena.folder) / name) in told and f"{cell} is worked out again" in told
    assert cell.folder(arena.folder).with_name(f"{cell.update:03d}.damaged").is_dir()
    kept = {p: p.stat().st_mtime_ns for p in stamps if cell.folder(arena.folder) not in p.parents}
    assert kept == {p: stamps[p] for p in kept}


def test_a_report_leaves_a_damaged_cell_out_and_says_so(whole: Arena, tmp_path: Path) -> None:
    arena = copy_of(whole, tmp_path / "run")
    cell = arena.cells()[3]
    cut(cell.folder(arena.folder) / "scores.parquet")
    (arena.folder / "run.json").unlink()  # so that the cells are read
    found = report_run(arena.folder)
    assert not found.finished
    (note,) = found.notes
    assert f"{cell} is left out" in note and "Run the arena again with the same command" in note
    list(arena.run())
    assert report_run(arena.folder).finished


@pytest.mark.parametrize(
    ("name", "damage"),
    [("run.json", cut), ("scores.parquet", zeros), ("cases.parquet", other), ("costs.parquet", Path.unlink)],
)
def test_a_report_writes_damaged_tables_again_from_the_cells(
    name: str, damage: Callable[[Path], object], whole: Arena, tmp_path: Path
) -> None:
    arena = copy_of(whole, tmp_path / "run")
    damage(arena.folder / name)
    found = report_run(arena.folder)
    assert found.finished and found.verdict == report_run(whole.folder).verdict
    assert scores(arena).equals(scores(whole))


def test_without_a_claim_a_damaged_table_is_an_error_that_says_what_to_do(whole: Arena, tmp_path: Path) -> None:
    arena = copy_of(whole, tmp_path / "run")
    (arena.folder / "claim.json").unlink()
    cut(arena.folder / "scores.parquet")
    with pytest.raises(ResultsError, match=r"scores.parquet: cannot be read") as error:
        report_run(arena.folder)
    assert error.value.next_step == "Run the arena again with the same command and folder: finished cells are kept"
    assert all(renewal is None for _, renewal in arena.run())
    assert report_run(arena.folder).finished


def test_a_damaged_claim_can_be_removed_and_all_cells_are_kept(whole: Arena, tmp_path: Path) -> None:
    arena = copy_of(whole, tmp_path / "run")
    cut(arena.folder / "claim.json")
    with pytest.raises(ResultsError, match="Remove this file where this very configuration began the run"):
        list(arena.run())
    (arena.folder / "claim.json").unlink()
    assert all(renewal is None for _, renewal in arena.run())


# -- with a language model -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    return run(tmp_path_factory.mktemp("adapted") / "run", config(["fine-tune"], last_update=4, **SMALL_BASE))


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [("contender/blend/blend.json", Path.unlink), ("contender/blend/adapters/*/adapter_model.safetensors", cut)],
)
def test_a_damaged_blend_is_made_again_where_the_next_update_needs_it(
    pattern: str, damage: Callable[[Path], object], adapted: Arena, tmp_path: Path
) -> None:
    arena = copy_of(adapted, tmp_path / "run")
    _, middle, last = arena.cells()
    damage(next(middle.folder(arena.folder).glob(pattern)))
    shutil.rmtree(last.folder(arena.folder))
    shutil.rmtree(arena.folder / "kept")
    arena = Arena(arena.config, arena.folder)
    told: list[str] = []
    arena.tell = told.append
    assert [cell for cell, renewal in arena.run() if renewal] == [last]
    assert [f"{middle} is worked out again" in words for words in told] == [True]
    assert scores(arena).equals(scores(adapted))


@pytest.mark.parametrize("pattern", ["kept/fits/*/adapter_model.safetensors", "kept/fits/*.cost.json", "kept/scores/*"])
def test_damaged_kept_work_is_done_again(pattern: str, adapted: Arena, tmp_path: Path) -> None:
    arena = copy_of(adapted, tmp_path / "run")
    for path in arena.folder.glob(pattern):
        cut(path)
    shutil.rmtree(arena.folder / "cells")
    arena = Arena(arena.config, arena.folder)
    assert all(renewal for _, renewal in arena.run())
    found, wanted = scores(arena), scores(adapted)
    assert found.drop("score").equals(wanted.drop("score"))
    assert (found["score"] - wanted["score"]).abs().max() < 1e-4  # type: ignore[operator]
