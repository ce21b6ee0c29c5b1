"""A run whose log has grown since: old periods keep their cuts, fits and scores, new ones are added."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from arena.small_runs import LABEL, PERIODS, SMALL_BASE, WORLD, config, described, run, scores
from regraft.arena.claim import CUTS, kept_cuts
from regraft.arena.compare import Arena
from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.source import open_stream
from regraft.errors import ResultsError
from regraft.setup.config import ArenaConfig

GIVEN = Periods(**PERIODS)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The log of the small runs as a file, and one with nothing of its last third."""
    world = simulate(DriftWorld(**WORLD))  # type: ignore[arg-type]
    folder, rows = tmp_path_factory.mktemp("logs"), world.interactions
    out = rows.select("user_id", "item_id", "timestamp", "event")
    paths = folder / "short" / "log.csv", folder / "long" / "log.csv"
    for path, part in zip(paths, (out[: 2 * len(out) // 3], out), strict=True):
        path.parent.mkdir()
        part.write_csv(path)
    return paths


def configured(path: Path, contenders: list[object], **more: object) -> ArenaConfig:
    mapping = {"user_id": "user_id", "item_id": "item_id", "timestamp": "timestamp", "event": "event"}
    data = {"path": str(path), "mapping": mapping, "label": LABEL, "periods": PERIODS}
    return config(contenders, data=data, **more)


def grown(
    folder: Path, logs: tuple[Path, Path], contenders: list[object], **more: object
) -> tuple[Arena, pl.DataFrame, Arena]:
    """The run on the short log, its scores, and the run in the same folder after the log has grown."""
    path = folder / "log.csv"
    path.write_bytes(logs[0].read_bytes())
    short = run(folder / "run", configured(path, contenders, **more))
    before = scores(short)
    path.write_bytes(logs[1].read_bytes())
    return short, before, run(folder / "run", configured(path, contenders, **more))


def old_part(table: pl.DataFrame, of: pl.DataFrame, last: int) -> pl.DataFrame:
    """Scores of the old updates in all old periods but the last, which may have been open."""
    keys = ["contender", "seed", "update", "period", "case"]
    return table.filter(pl.col("update").is_in(of["update"].unique()), pl.col("period") < last).sort(keys)


@pytest.mark.parametrize("first_update", [2, None])
def test_a_run_whose_log_has_grown_keeps_cuts_and_scores_and_adds_periods(
    first_update: int | None, logs: tuple[Path, Path], tmp_path: Path
) -> None:
    short, before, long = grown(tmp_path, logs, ["rates", "popularity"], first_update=first_update)
    n = short.stream.n_periods
    assert n == GIVEN.n < long.stream.n_periods
    assert long.stream.cuts[:n] == short.stream.cuts[:n]
    assert long.first == short.first
    assert long.updates[-1] > short.updates[-1]
    old = old_part(before, before, n)
    assert len(old) > 500
    assert old_part(scores(long), before, n).equals(old)
    assert described(long)["finished"] is True
    kept = kept_cuts(long.folder, GIVEN)
    assert kept == long.stream.frozen


def test_a_run_that_grew_scores_as_one_that_had_the_whole_log_and_the_same_cuts(
    logs: tuple[Path, Path], tmp_path: Path
) -> None:
    _, _, long = grown(tmp_path, logs, ["rates"])
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / CUTS).write_bytes((long.folder / CUTS).read_bytes())
    assert scores(run(tmp_path / "new", long.config)).equals(scores(long))


def test_fits_and_scores_of_a_language_model_are_found_again(logs: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    short, before, long = grown(tmp_path, logs, ["replay"], last_update=4, first_update=4, eval_share=0, **SMALL_BASE)
    # Equal to the bit although all cells were run again: fits and scores were kept under the same names.
    n = short.stream.n_periods
    assert old_part(scores(long), before, n).equals(old_part(before, before, n))
    names = {path.name for path in (long.folder / "kept" / "fits").glob("*.cost.json")}
    assert len(names) == len(list(long.updates)) == 1
    assert len(list(tmp_path.glob("nano-*"))) == 1


def test_a_log_whose_closed_periods_changed_is_another_log(logs: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(logs[0].read_bytes())
    run(tmp_path / "run", configured(path, ["rates"]))
    lines = logs[1].read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[2:]))
    with pytest.raises(ResultsError, match="holds another run: the rows of the data differ"):
        run(tmp_path / "run", configured(path, ["rates"]))


def test_cuts_of_other_settings_are_not_taken_up(logs: tuple[Path, Path], tmp_path: Path) -> None:
    arena = run(tmp_path / "run", configured(logs[0], ["rates"]))
    assert kept_cuts(arena.folder, GIVEN) == arena.stream.frozen
    assert kept_cuts(arena.folder, GIVEN.model_copy(update={"n": 4})) is None
    assert kept_cuts(tmp_path / "nowhere", GIVEN) is None
    (arena.folder / CUTS).write_text(json.dumps([]))
    assert kept_cuts(arena.folder, GIVEN) is None


def test_cuts_that_a_run_wrote_down_open_the_longer_log(logs: tuple[Path, Path], tmp_path: Path) -> None:
    arena = run(tmp_path / "run", configured(logs[0], ["rates"]))
    long = open_stream(configured(logs[1], ["rates"]).data, kept_cuts(arena.folder, GIVEN))
    world = simulate(DriftWorld(**WORLD))  # type: ignore[arg-type]
    expected = build_stream(world.interactions, world.items, LABEL, GIVEN, cuts=arena.stream.frozen)
    assert long.cuts == expected.cuts
    assert long.until(3).fingerprint == arena.stream.until(3).fingerprint


def test_a_run_says_once_that_its_log_has_grown(logs: tuple[Path, Path], tmp_path: Path) -> None:
    path, told = tmp_path / "log.csv", []
    for log in (logs[0], logs[1], logs[1]):
        path.write_bytes(log.read_bytes())
        arena = Arena(configured(path, ["popularity"]), tmp_path / "run")
        arena.tell = told.append
        list(arena.run())
    assert told == ["the log has grown since this run began: cells are written anew from kept fits and scores"]
