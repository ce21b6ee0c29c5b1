"""No score depends on a later row, from the log to the file of scores.

Two worlds are equal up to a cut and different in every row after it. Runs of the arena in both must give the same
scores, bit for bit, for models renewed before the cut on periods before it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from arena.small_runs import CUT, SMALL_BASE, config, one_world, other_world, run, scores
from regraft.arena.cell import Cell
from regraft.arena.compare import Arena
from regraft.report.results import Results


def test_the_other_world_differs_after_the_cut_only() -> None:
    one, other = one_world(), other_world()
    end = int(np.searchsorted(one.period, CUT))
    assert one.cuts == other.cuts and len(one.time) == len(other.time)
    for name in ("user", "item", "label", "time", "period"):
        np.testing.assert_array_equal(getattr(one, name)[:end], getattr(other, name)[:end])
    assert np.mean(one.label[end:] != other.label[end:]) > 0.3
    assert np.mean(one.item[end:] != other.item[end:]) > 0.9
    assert len(one.items) != len(other.items)


def before_the_cut(arena: Arena) -> pl.DataFrame:
    """Scores of models renewed before the cut on periods before it."""
    table = scores(arena).filter(pl.col("update") < CUT, pl.col("period") < CUT)
    assert set(table["update"]) == {2, 3} and set(table["period"]) == {1, 2, 3}
    return table


@pytest.mark.parametrize("regime", ["fresh", "delayed 6h", "frozen", "paper"])
def test_no_baseline_score_depends_on_a_later_row(regime: str, tmp_path: Path) -> None:
    few = {"use": "boosting", "settings": {"rounds": 20}}
    names = ["popularity", "rates", "item-knn", few, *(["stack"] if regime == "fresh" else [])]
    found = config(names, last_update=3, regime=regime)
    tables = [
        before_the_cut(run(tmp_path / n, found, world)) for n, world in (("one", one_world()), ("other", other_world()))
    ]
    assert len(tables[0]) > 1000
    assert tables[0].equals(tables[1])


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Arena, Arena]:
    """Strategies on a very small base in one world and in the other."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    strategies = [{"use": "replay", "calibration": "logistic"}, "lsat-ensemble", "full-retrain"]
    found = config(strategies, last_update=3, **SMALL_BASE)
    folder = tmp_path_factory.mktemp("adapted")
    return run(folder / "one", found, one_world()), run(folder / "other", found, other_world())


def test_no_strategy_score_depends_on_a_later_row(adapted: tuple[Arena, Arena]) -> None:
    one, other = (before_the_cut(arena) for arena in adapted)
    assert len(one) > 1000
    assert one.equals(other)


def test_neither_does_the_base_model(adapted: tuple[Arena, Arena]) -> None:
    """Both worlds asked for the same base: it is named by all it is made from."""
    assert len(list(adapted[0].folder.parent.glob("nano-*"))) == 1


def test_the_scores_of_strategies_differ_and_every_case_has_one(adapted: tuple[Arena, Arena]) -> None:
    results = Results.load(adapted[0].folder)
    assert results.finished
    assert results.headline.group_by("update", "case").agg(pl.col("score").n_unique())["score"].max() == 3


def test_work_that_two_strategies_share_runs_once_and_is_charged_to_both(adapted: tuple[Arena, Arena]) -> None:
    costs = pl.read_parquet(adapted[0].folder / "costs.parquet").filter(update=2)
    long = costs.filter(contender="full-retrain").row(0, named=True)
    both = costs.filter(contender="lsat-ensemble").row(0, named=True)
    for name in ("cpu_seconds", "tokens_backward", "targets_trained", "flops"):
        assert both[name] > long[name] > 0  # long-term and short-term, the first kept since replay asked for it
    assert long["score_cpu_seconds"] > 0.001
    assert (long["forward_passes_per_request"], both["forward_passes_per_request"]) == (1, 2)


def test_decisions_of_a_strategy_stand_in_the_notes(adapted: tuple[Arena, Arena]) -> None:
    costs = pl.read_parquet(adapted[0].folder / "costs.parquet")
    assert costs.filter(contender="lsat-ensemble", update=2)["notes"][0] == "weight of the long-term adapter: 0.5"
    assert "calibration logistic: weight" in costs.filter(contender="replay+logistic", update=3)["notes"][0]


def test_a_strategy_goes_on_from_its_saved_blend_alone_with_the_same_scores(adapted: tuple[Arena, Arena]) -> None:
    arena = adapted[0]
    before = scores(arena)
    for contender in arena.config.contenders:
        shutil.rmtree(Cell(contender, 0, 3).folder(arena.folder))
    shutil.rmtree(arena.folder / "kept")  # so that nothing is remembered but the blends
    again = Arena(arena.config, arena.folder, arena.stream)
    assert [renewal is None for _, renewal in again.run()] == [True, False] * 3
    # Without kept scores rows are scored in other batches, which shows in the last digits of fp32.
    assert_frame_equal(scores(again), before, abs_tol=1e-6, rel_tol=0)
