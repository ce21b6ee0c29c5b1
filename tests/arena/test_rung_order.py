"""Cheap rungs run first, and the report is written after each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena.small_runs import SMALL_BASE, config, described, scores
from regraft.arena.compare import Arena
from regraft.arena.plan import plan_run, seconds_left
from regraft.arena.rung_reports import RungDone, reported
from regraft.errors import ConfigError
from regraft.report.results import Results
from regraft.setup import config as config_room
from regraft.setup.config import ContenderOptions, rung_of

BARE = {"use": "never", "name": "bare", "settings": {"bare": True}}
MIXED = ["full-retrain", "item-knn", BARE, "rates", "never", "popularity"]
LADDER = ["popularity", "rates", "item-knn", "bare", "never", "full-retrain"]


def labels(arena: Arena) -> list[str]:
    return list(dict.fromkeys(cell.contender.label for cell in arena.cells()))


def test_cells_run_up_the_ladder_whatever_order_contenders_were_given_in(tmp_path: Path) -> None:
    arena = Arena(config(MIXED, last_update=3), tmp_path / "run")
    assert labels(arena) == LADDER
    assert [cell.update for cell in arena.cells()][:4] == [2, 3, 2, 3]


def test_each_seed_climbs_the_ladder_anew_and_baselines_once(tmp_path: Path) -> None:
    arena = Arena(config(["never", BARE, "rates"], seeds=[4, 7], last_update=2), tmp_path / "run")
    assert [(cell.contender.label, cell.seed) for cell in arena.cells()] == [
        ("rates", 4), ("bare", 4), ("never", 4), ("bare", 7), ("never", 7),
    ]  # fmt: skip


def test_a_strategy_that_is_calibrated_with_the_stack_keeps_its_own_rung() -> None:
    assert rung_of(ContenderOptions(use="never", settings={"bare": True}, calibration="stack")) == "model as it came"
    assert rung_of(ContenderOptions(use="never")) == "adapted"
    assert rung_of(ContenderOptions(use="fine-tune", calibration="stack")) == "renewed"


@pytest.mark.parametrize(("use", "rung"), [("rates", "neighbours"), ("fine-tune", "renewed")])
def test_a_plug_in_that_names_no_rung_counts_as(use: str, rung: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs:
        def __init__(self, *given: Any, **settings: Any) -> None:
            self.given = given

    monkeypatch.setattr(config_room, "plugin_class", lambda kind, name: Theirs)
    assert rung_of(ContenderOptions(use=use)) == rung


def test_a_rung_that_is_not_on_the_ladder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs:
        rung = "magic"

        def __init__(self, *given: Any, **settings: Any) -> None:
            self.given = given

    monkeypatch.setattr(config_room, "plugin_class", lambda kind, name: Theirs)
    with pytest.raises(ConfigError, match="contender 'rates': has the rung 'magic'\nExpected one of counts, rates"):
        rung_of(ContenderOptions(use="rates"))


def test_the_rungs_are_written_down_with_the_run_in_the_order_of_the_configuration(tmp_path: Path) -> None:
    arena = Arena(config(["rates", "popularity"]), tmp_path / "run")
    list(arena.run())
    assert [(c["name"], c["rung"]) for c in described(arena)["contenders"]] == [
        ("rates", "rates"),
        ("popularity", "counts"),
    ]
    results = Results.load(arena.folder)
    assert results.rungs == arena.rungs
    assert results.cases["item_count"].min() == 0 and results.cases["item_count"].max() > 10


def climbed(arena: Arena, stop: int | None = None) -> list[RungDone]:
    told: list[RungDone] = []
    for n, _ in enumerate(reported(arena, arena.run(), tell=told.append), start=1):
        if n == stop:
            break
    return told


def test_a_report_is_written_after_every_rung_but_the_last(tmp_path: Path) -> None:
    arena = Arena(config(["item-knn", "rates", "popularity"], last_update=3), tmp_path / "run")
    told = climbed(arena)
    assert [(done.rung, done.classical) for done in told] == [("counts", False), ("rates", False)]
    assert told[1].answer.startswith("Advice so far, with 4 of 6 cells: serve ")
    assert told[1].answer in (arena.folder / "report.html").read_text(encoding="utf-8")


def test_a_run_that_is_stopped_after_a_rung_goes_on_with_the_same_scores(tmp_path: Path) -> None:
    given = config(["item-knn", "rates", "popularity"], last_update=3)
    stopped = Arena(given, tmp_path / "run")
    told = climbed(stopped, stop=5)  # in the midst of the last rung
    assert [done.rung for done in told] == ["counts", "rates"]
    assert Results.load(stopped.folder).cells_done() == 4 and not described(stopped)["finished"]
    assert climbed(Arena(given, tmp_path / "run")) == []  # no rung is reported twice
    whole = Arena(given, tmp_path / "whole")
    list(whole.run())
    assert scores(stopped).equals(scores(whole))


def test_the_last_classical_rung_says_so_and_what_is_left_is_reckoned(tmp_path: Path) -> None:
    arena = Arena(config([BARE, "rates", "popularity"], last_update=2, **SMALL_BASE), tmp_path / "run")
    told: list[RungDone] = []
    left: list[float] = []

    def tell(done: RungDone) -> None:
        told.append(done)
        if done.classical:
            left.append(seconds_left(arena))
            assert not (arena.folder / "cells" / "bare").exists()

    list(reported(arena, arena.run(), tell=tell))
    assert [(done.rung, done.classical) for done in told] == [("counts", False), ("rates", True)]
    assert 0 < left[0] < 120 and seconds_left(arena) == 0


def test_a_plan_knows_when_the_first_answer_is_there(tmp_path: Path) -> None:
    plan = plan_run(Arena(config([BARE, "rates", "popularity"], last_update=2, **SMALL_BASE), tmp_path / "run"), 2.0)
    assert [(line.contender, line.classical) for line in plan.lines] == [
        ("popularity", True), ("rates", True), ("bare", False),
    ]  # fmt: skip
    assert plan.first_answer is not None
    assert 2.0 < plan.first_answer < plan.seconds - plan.build
