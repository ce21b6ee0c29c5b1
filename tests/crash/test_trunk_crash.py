"""Kept states of a process that was killed -9 at any write: what can be read of them is right, the rest is absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lm.crashes import Crashes, leftovers

WORK = """
import numpy as np
import torch
from regraft.lm.trunk import trunk_store
from regraft.lm.trunk.trunk_store import TrunkStore

trunk_store.SHARD_BYTES = 2000

def parts(first, n):
    number = np.arange(first, first + n, dtype=np.uint64)
    states = torch.arange(first, first + n).repeat_interleave(3)[:, None] + torch.linspace(0, 0.9, 8)
    keys = np.stack([number, number + 7], axis=1)
    return keys, np.stack([number % 3, number % 3], axis=1), np.full(n, 3), states

def work(folder):
    store = TrunkStore(folder / "kept", 8, torch.float32, 12000, {"width": 8, "dtype": "float32"})
    there = wrong = 0
    keys, _, lengths, states = parts(0, 200)
    out = torch.full((600, 8), -1.0)
    found = store.read(keys, lengths, np.arange(200) * 3, out)
    for n in np.flatnonzero(found):
        there += 1
        wrong += not torch.equal(out[3 * n : 3 * n + 3], states[3 * n : 3 * n + 3])
    for first in range(0, 200, 10):  # beyond the bound too, so that old files make room
        store.round(30)
        store.put(*parts(first, 10), 0.1)
        store.flush()
        store._clock += 10**6
        if first == 60:
            store.forget(np.array([[1, 1]], dtype=np.uint64))
    return {"there": there, "wrong": wrong, "notes": store.notes}
"""


@pytest.fixture(scope="module")
def crashes() -> Iterator[Crashes]:
    with Crashes(WORK) as started:
        yield started


def test_after_a_kill_at_any_write_nothing_wrong_is_read(crashes: Crashes, tmp_path: Path) -> None:
    unbroken = crashes.run(tmp_path / "unbroken")
    assert not unbroken.error
    assert unbroken.operations > 40
    some = 0
    for number in range(1, unbroken.operations + 1, 2):
        folder = tmp_path / str(number)
        assert crashes.run(folder, kill_at=number).killed
        after = crashes.run(folder)
        assert not after.error, after.error
        assert after.result["wrong"] == 0  # type: ignore[index]
        some += after.result["there"]  # type: ignore[index]
        assert leftovers(folder) == []
    assert some > 100
