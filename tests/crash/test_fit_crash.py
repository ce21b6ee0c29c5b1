"""A fit that is killed -9 anywhere and run again ends as if it had never been killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lm.crashes import Crashes, Outcome, leftovers

WORK = """
from lm.models import encoder_for, random_world, tiny_base
from regraft.lm.lab import ModelLab
from regraft.lm.workshop import Workshop
from regraft.lm.options import AdapterOptions, FitOptions

def work(folder):
    base = tiny_base()
    fit = FitOptions(targets_per_step=16, epochs=2, patience=2, checkpoint_seconds=1e-9)
    steps = []
    shop = Workshop(
        base, encoder_for(base.tokenizer), AdapterOptions(rank=2, adapt=1), fit, folder,
        lambda done, total, left: steps.append(done),
    )
    lab, view = ModelLab(shop), random_world(7, events=40)
    adapter = lab.fit(view)
    scores = lab.score_adapter(adapter, view)
    return {"adapter": adapter.hash, "scores": scores.tobytes().hex(), "first step": steps[:1]}
"""


@pytest.fixture(scope="module")
def crashes() -> Iterator[Crashes]:
    with Crashes(WORK) as started:
        yield started


@pytest.fixture(scope="module")
def unbroken(crashes: Crashes, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("unbroken") / "kept"
    outcome = crashes.run(folder)
    assert leftovers(folder) == []
    return outcome


def assert_same(outcome: Outcome, unbroken: Outcome) -> None:
    assert not outcome.killed
    for name in ("adapter", "scores"):
        assert outcome.result[name] == unbroken.result[name]  # type: ignore[index]


def test_a_fit_killed_at_a_file_operation_ends_as_an_unbroken_one(crashes: Crashes, unbroken: Outcome, tmp_path: Path):
    assert unbroken.operations > 30
    early = range(1, unbroken.operations - 12, 9)
    last = range(unbroken.operations - 12, unbroken.operations + 1, 2)  # the checkpoint goes, the adapter comes
    for number in (*early, *last):
        folder = tmp_path / str(number)
        assert crashes.run(folder, kill_at=number).killed
        assert_same(crashes.run(folder), unbroken)
        assert leftovers(folder) == []


def test_a_fit_killed_again_and_again_still_gets_there(crashes: Crashes, unbroken: Outcome, tmp_path: Path):
    """Each run gets a few operations further than the one before, on top of what that one kept."""
    for number in (5, 14, 12):
        assert crashes.run(tmp_path, kill_at=number).killed
    outcome = crashes.run(tmp_path)
    assert_same(outcome, unbroken)
    assert outcome.result["first step"][0] > 1  # type: ignore[index]
    assert leftovers(tmp_path) == []


def test_a_finished_fit_is_not_done_again(crashes: Crashes, unbroken: Outcome, tmp_path: Path):
    crashes.run(tmp_path)
    outcome = crashes.run(tmp_path)
    assert_same(outcome, unbroken)
    assert outcome.result["first step"] == []  # type: ignore[index]
