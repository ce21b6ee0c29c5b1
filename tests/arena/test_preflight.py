"""A base model that cannot be used stops a run before its first cell, and what is left out of one is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from arena.small_runs import SMALL_BASE, config
from lm.models import adapter_into, mamba, saved_base
from regraft.arena.compare import Arena
from regraft.arena.plan import plan_run
from regraft.errors import ModelError

BASELINE_FIRST = ("popularity", {"use": "never", "settings": {"bare": True}})


def arena(folder: Path, base: Path, contenders: object = BASELINE_FIRST) -> Arena:
    return Arena(config(contenders, **{**SMALL_BASE, "base": {"path": str(base)}}), folder / "run")


def test_no_cell_of_a_baseline_is_begun_with_a_base_that_fails_later(tmp_path: Path) -> None:
    run = arena(tmp_path, mamba(tmp_path / "base"))
    with pytest.raises(ModelError, match="cannot be adapted"):
        next(run.run())
    assert not (tmp_path / "run" / "cells").exists()


def test_a_dry_run_says_that_a_base_cannot_be_used(tmp_path: Path) -> None:
    base = saved_base(tmp_path / "base")
    (base / "quantize_config.json").write_text(json.dumps({"bits": 4}))
    with pytest.raises(ModelError, match="has quantised weights"):
        plan_run(arena(tmp_path, base))


def test_an_adapter_that_is_left_out_is_said_before_the_run_and_in_its_plan(tmp_path: Path) -> None:
    base = adapter_into(saved_base(tmp_path / "base"), saved_base(tmp_path / "other"))
    run = arena(tmp_path, base)
    assert len(run.preflight()) == 1
    assert "has an adapter beside its weights" in run.preflight()[0]
    assert list(plan_run(run).notes) == run.preflight()


def test_a_run_without_a_language_model_needs_no_base(tmp_path: Path) -> None:
    run = arena(tmp_path, tmp_path / "nothing", ["popularity"])
    assert run.preflight() == []
    assert len(list(run.run())) == len(run.cells())


def test_a_base_is_refused_or_found_good_without_reading_its_weights(tmp_path: Path) -> None:
    run = arena(tmp_path, saved_base(tmp_path / "base"))
    assert run.preflight() == []
    assert "workshop" not in vars(run)


def test_a_base_that_lacks_weights_is_refused_before_a_cell(tmp_path: Path) -> None:
    base = saved_base(tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    del weights[sorted(weights)[0]]
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lacks 1 of its weights"):
        next(arena(tmp_path, base).run())
    assert not (tmp_path / "run" / "cells").exists()
