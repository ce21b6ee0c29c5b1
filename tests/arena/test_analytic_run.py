"""A head on frozen states in the arena: one pass for all who read the bare model, and cells that go on after a kill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from arena.small_runs import SMALL_BASE, config, run, scores
from regraft.arena.cell import COST
from regraft.arena.compare import CONTENDER, Arena, Cell
from regraft.lm.blend import Blend

pytest.importorskip("torch", reason="PyTorch is not installed")

BARE = {"use": "never", "name": "bare", "settings": {"bare": True}}
ON_STACK = {"use": "analytic", "name": "on-stack", "settings": {"offset": "stack"}}
CONFIG = config([BARE, "analytic", ON_STACK], last_update=4, eval_share=0.1, **SMALL_BASE)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return run(tmp_path_factory.mktemp("arena") / "run", CONFIG)


def cost(arena: Arena, label: str, update: int) -> dict[str, Any]:
    return dict(json.loads((arena.folder / "cells" / label / "seed-0" / f"{update:03d}" / COST).read_text()))


def last_cells(arena: Arena) -> list[Cell]:
    return [Cell(c, 0, arena.last) for c in arena.config.contenders]


def test_all_three_are_charged_the_same_pass_in_scoring(arena: Arena) -> None:
    charged = {label: cost(arena, label, 3)["score_tokens"] for label in ("bare", "analytic", "on-stack")}
    assert len(set(charged.values())) == 1 and charged["bare"] > 0


def test_an_update_reads_nothing_after_the_first_that_reads_the_past(arena: Arena) -> None:
    for label in ("analytic", "on-stack"):
        first, *later = (cost(arena, label, update)["tokens_forward"] for update in arena.updates)
        assert first > 0 and later == [0, 0]


def test_no_evaluation_row_is_ever_recorded(arena: Arena) -> None:
    for cell in last_cells(arena)[1:]:
        blend = Blend.load(cell.folder(arena.folder) / CONTENDER / "blend")
        rows = arena.stream.positions(blend.state["records.rows"])
        assert len(rows) == len(arena.past(arena.last)) and not arena.eval_rows[rows].any()


def test_a_run_that_is_killed_goes_on_to_equal_bits(arena: Arena, tmp_path: Path) -> None:
    shutil.copytree(arena.folder.parent, tmp_path / "all")
    folder = tmp_path / "all" / arena.folder.name
    for cell in last_cells(arena):
        shutil.rmtree(cell.folder(folder))
    again = run(folder, CONFIG)
    assert scores(again).sort(pl.all()).equals(scores(arena).sort(pl.all()))
    for cell in last_cells(arena):
        one, other = (Blend.load(cell.folder(a.folder) / CONTENDER / "blend") for a in (arena, again))
        assert one.hash == other.hash


def test_a_head_on_the_stack_is_the_stack_beside_a_correction(arena: Arena) -> None:
    blend = Blend.load(last_cells(arena)[2].folder(arena.folder) / CONTENDER / "blend")
    assert blend.head is not None and blend.head.offset == 0.0
    assert any(name.startswith("offset.") for name in blend.fitted)
    assert np.isfinite(blend.head.theta).all()


def test_a_plan_counts_one_pass_over_every_row_and_the_stacks(arena: Arena) -> None:
    from regraft.arena.plan import plan_run

    bare, head, on_stack = plan_run(arena).lines
    assert bare.scored > 0 and (head.trained, on_stack.trained, head.fits, on_stack.scored) == (0, 0, 0, 0)
    assert 0 < head.scored < bare.scored * 2
    assert head.disk > bare.disk and on_stack.seconds > 0
