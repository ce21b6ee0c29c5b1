"""A base build that is killed -9 anywhere and run again gives the base an unbroken build gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lm.crashes import Crashes, leftovers

WORK = """
import hashlib

from lm.models import TIMELINE, random_world
from regraft.data.periods import Periods
from regraft.lm import nano
from regraft.prompts.timeline import Shape

options = nano.FitOptions
nano.FitOptions = lambda **given: options(**given, checkpoint_seconds=1e-9)

def work(folder):
    view = random_world(7, events=90, periods=Periods(by="time", n=2, warm_up=0.7))
    size = nano.NanoOptions(layers=1, width=16, heads=2, vocabulary=300, epochs=2, targets_per_step=16)
    nano.build_nano(folder / "base", view.warm_up(), TIMELINE, size, shape=Shape(3, 4))
    names = ("model.safetensors", "tokenizer.json", "config.json")
    return {name: hashlib.sha256((folder / "base" / name).read_bytes()).hexdigest() for name in names}
"""


@pytest.fixture(scope="module")
def crashes() -> Iterator[Crashes]:
    with Crashes(WORK) as started:
        yield started


def test_a_build_killed_at_a_file_operation_ends_as_an_unbroken_one(crashes: Crashes, tmp_path: Path):
    unbroken = crashes.run(tmp_path / "unbroken")
    assert unbroken.operations > 30
    early = range(1, unbroken.operations - 12, 13)
    last = range(unbroken.operations - 12, unbroken.operations + 1, 3)
    for number in (*early, *last):
        folder = tmp_path / str(number)
        assert crashes.run(folder, kill_at=number).killed
        whole = (folder / "base" / "lineage.json").is_file()
        assert whole or not (folder / "base").exists()
        assert crashes.run(folder).result == unbroken.result
        assert leftovers(folder) == []
        assert [p.name for p in folder.iterdir()] == ["base"]
