"""One identity of a nano base: `base build`, the run beside it and the dry run mean the same folder by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from arena.small_runs import SMALL_BASE, config, one_world
from regraft.data.regimes import Regime
from regraft.errors import ModelError
from regraft.prompts.template import Template
from regraft.setup.base import nano_folder
from regraft.setup.build import build_base, nano_place
from regraft.setup.config import ArenaConfig


def small(**more: Any) -> ArenaConfig:
    return config(**{**SMALL_BASE, **more})


def place(folder: Path, found: ArenaConfig) -> tuple[Path, bool]:
    return nano_place(folder, found, one_world(), Template.load(found.template))


CHANGES: dict[str, dict[str, Any]] = {
    "refresh": {"refresh": "period"},
    "regime": {"regime": "frozen"},
    "timeline": {"timeline": {"context": 3, "targets": 10}},
    "template": {"template": "judge-timeline"},
    "options": {"base": {"nano": {**SMALL_BASE["base"]["nano"], "seed": 1}}},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "base"
    build_base(small(), folder)
    return folder


@pytest.mark.parametrize("change", CHANGES)
def test_a_base_built_otherwise_is_another_base_and_the_difference_is_named(base: Path, change: str) -> None:
    other = small(**CHANGES[change])
    with pytest.raises(ModelError) as error:
        build_base(other, base)
    assert error.value.found == f"holds a base built with other {change}"
    assert place(base.parent / "run", small())[0] != place(base.parent / "run", other)[0]


def test_the_same_base_is_found_by_build_run_and_dry_run_alike(base: Path, tmp_path: Path) -> None:
    found, stream, run = small(), one_world(), tmp_path / "run"
    folder, built = place(run, found)
    assert not built
    shutil.copytree(base, folder)  # built by hand at the place that a run and its plan look at
    assert place(run, found) == (folder, True)
    assert nano_folder(found, stream, Template.load(found.template), Regime.parse(found.regime), run) == folder
    assert build_base(found, folder) is None


def test_a_lineage_that_does_not_say_how_facts_were_refreshed_is_not_trusted(base: Path, tmp_path: Path) -> None:
    older = shutil.copytree(base, tmp_path / "older")
    lineage = json.loads((older / "lineage.json").read_text())
    del lineage["refresh"]
    (older / "lineage.json").write_text(json.dumps(lineage))
    with pytest.raises(ModelError, match="a base built with other refresh"):
        build_base(small(), older)
