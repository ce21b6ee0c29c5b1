"""Kept states are there whole and right, or not at all: whatever happened to the files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from regraft.errors import ModelError
from regraft.files import HERE
from regraft.lm.trunk import trunk_store
from regraft.lm.trunk.shard import Shard, shard_files
from regraft.lm.trunk.trunk_store import META, TrunkStore

WIDTH = 8
MADE_FOR = {"base": "b", "layer": 2}


def store(folder: Path | None, limit: int = 2**30, dtype: torch.dtype = torch.float32, **other: object) -> TrunkStore:
    return TrunkStore(folder, WIDTH, dtype, limit, MADE_FOR | other)


def parts(first: int, n: int, length: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, Tensor]:
    """(keys, owners, lengths, states) of parts first..first+n-1; states tell the part they are of."""
    number = np.arange(first, first + n, dtype=np.uint64)
    lengths = np.full(n, length)
    states = torch.arange(first, first + n).repeat_interleave(length)[:, None] + torch.linspace(0, 0.9, WIDTH)
    return np.stack([number, number + 7], axis=1), np.stack([number % 3, number % 3], axis=1), lengths, states


def offer(kept: TrunkStore, first: int, n: int, length: int = 3) -> None:
    keys, owners, lengths, states = parts(first, n, length)
    kept.put(keys, owners, lengths, states.to(kept.dtype), 0.5)
    kept.flush()


def ask(kept: TrunkStore, first: int, n: int, length: int = 3) -> tuple[np.ndarray, Tensor]:
    keys, _, lengths, states = parts(first, n, length)
    out = torch.full((len(states), WIDTH), -1.0, dtype=kept.dtype)
    found = kept.read(keys, lengths, np.cumsum(lengths) - lengths, out)
    for i in np.flatnonzero(found):  # what is found is right
        rows = slice(i * length, (i + 1) * length)
        torch.testing.assert_close(out[rows], states[rows].to(kept.dtype))
    return found, out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("on_disk", [True, False])
def test_what_was_put_is_read_by_this_process_and_the_next(tmp_path: Path, dtype: torch.dtype, on_disk: bool):
    kept = store(tmp_path / "s" if on_disk else None, dtype=dtype)
    offer(kept, 0, 5)
    offer(kept, 5, 5)
    for reader in [kept, store(tmp_path / "s", dtype=dtype)] if on_disk else [kept]:
        found, out = ask(reader, 0, 12)
        assert found.tolist() == [True] * 10 + [False] * 2
        assert bool((out[30:] == -1).all())
        assert (reader.bytes, reader.notes) == (30 * WIDTH * dtype.itemsize, [])
    assert kept.seconds_per_token == pytest.approx(1.0 / 30)


def test_nothing_is_there_before_it_is_whole(tmp_path: Path):
    kept = store(tmp_path / "s")
    keys, owners, lengths, states = parts(0, 4)
    kept.put(keys, owners, lengths, states, 0.0)
    assert not ask(kept, 0, 4)[0].any()
    kept.flush()
    assert ask(kept, 0, 4)[0].all()


def test_the_same_part_is_kept_once(tmp_path: Path):
    kept = store(tmp_path / "s")
    offer(kept, 0, 4)
    keys, owners, lengths, states = parts(2, 4)
    kept.put(keys, owners, lengths, states, 0.0)
    kept.put(keys, owners, lengths, states, 0.0)
    kept.flush()
    assert kept.bytes == 18 * WIDTH * 4
    assert ask(kept, 0, 6)[0].all()


def test_another_process_sees_what_this_one_wrote(tmp_path: Path):
    here, there = store(tmp_path / "s"), store(tmp_path / "s")
    offer(here, 0, 3)
    assert ask(there, 0, 3)[0].all()
    here.forget(np.array([[0, 0], [1, 1], [2, 2]], np.uint64))
    assert not ask(there, 0, 3)[0].any()


@pytest.mark.parametrize("byte", range(0, 2200, 37))
def test_a_flipped_bit_anywhere_never_gives_a_wrong_state(tmp_path: Path, byte: int):
    kept = store(tmp_path / "s")
    offer(kept, 0, 16)
    path = shard_files(tmp_path / "s")[0]
    raw = bytearray(path.read_bytes())
    raw[byte % len(raw)] ^= 4
    path.write_bytes(raw)
    again = store(tmp_path / "s")
    found, _ = ask(again, 0, 16)  # checks that what is found is right
    offer(again, 0, 16)
    assert ask(again, 0, 16)[0].all()
    if not found.all():
        assert "worked out anew" in again.notes[0]


@pytest.mark.parametrize("left", [0, 1, 100, 900])
def test_a_truncated_file_is_removed_and_told(tmp_path: Path, left: int):
    offer(store(tmp_path / "s"), 0, 16)
    path = shard_files(tmp_path / "s")[0]
    path.write_bytes(path.read_bytes()[:left])
    again = store(tmp_path / "s")
    assert not ask(again, 0, 16)[0].any()
    assert "was damaged and removed" in again.notes[0]
    assert shard_files(tmp_path / "s") == []


def test_half_written_files_of_killed_processes_are_removed(tmp_path: Path):
    offer(store(tmp_path / "s"), 0, 2)
    part = tmp_path / "s" / f"00000000000000000001-1.safetensors.{HERE}-999999999.part"
    part.write_bytes(b"half")
    assert ask(store(tmp_path / "s"), 0, 2)[0].all()
    assert not part.exists()


@pytest.mark.parametrize(("name", "value"), [("base", "other"), ("layer", 3), ("template", "new")])
def test_a_cache_made_for_something_else_is_refused(tmp_path: Path, name: str, value: object):
    store(tmp_path / "s")
    with pytest.raises(ModelError, match=f"was made for {name}"):
        store(tmp_path / "s", **{name: value})


def test_a_cache_of_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store(tmp_path / "s")
    monkeypatch.setattr(trunk_store, "FORMAT", 99)
    with pytest.raises(ModelError, match="was made for format 1"):
        store(tmp_path / "s")


def test_states_of_another_width_or_dtype_are_not_taken_in(tmp_path: Path):
    offer(store(tmp_path / "s"), 0, 4)
    again = store(tmp_path / "s", dtype=torch.bfloat16)
    assert not ask(again, 0, 4)[0].any()
    assert "torch.float32" in again.notes[0]


def test_a_description_that_cannot_be_read_is_told(tmp_path: Path):
    store(tmp_path / "s")
    (tmp_path / "s" / META).write_text("{")
    with pytest.raises(ModelError, match="is no trunk cache"):
        store(tmp_path / "s")


def test_numbers_that_are_not_finite_are_not_kept(tmp_path: Path):
    kept = store(tmp_path / "s")
    keys, owners, lengths, states = parts(0, 2)
    states[1, 1] = float("nan")
    kept.put(keys, owners, lengths, states, 0.0)
    kept.flush()
    assert not ask(kept, 0, 2)[0].any()


def test_a_full_disk_stops_the_keeping_not_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = store(tmp_path / "s")
    offer(kept, 0, 2)

    def full(self: Shard, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Shard, "write", full)
    offer(kept, 2, 2)
    offer(kept, 4, 2)
    assert kept.notes == [
        f"trunk cache '{tmp_path / 's'}': [Errno 28] No space left on device; from here on states are worked out anew"
    ]
    assert ask(kept, 0, 4)[0].tolist() == [True, True, False, False]


def test_a_bound_below_one_epoch_still_saves_its_share(tmp_path: Path):
    kept = store(tmp_path / "s", limit=40 * 3 * WIDTH * 4)
    hits = []
    for _ in range(6):  # epochs over 100 parts, where 40 fit
        kept.round(300)
        hits.append(0)
        for first in range(0, 100, 10):
            found, _ = ask(kept, first, 10)
            hits[-1] += int(found.sum())
            if not found.all():
                offer(kept, first, 10)
    assert hits == [0, 40, 40, 40, 40, 40]
    assert kept.bytes <= kept.limit
    assert "full" in kept.notes[0] and len(kept.notes) == 1


def test_what_nobody_asks_for_any_more_makes_room(tmp_path: Path):
    kept = store(tmp_path / "s", limit=10 * 3 * WIDTH * 4)
    offer(kept, 0, 10)
    for _ in range(9):
        kept.round(30)
        ask(kept, 100, 10)
    offer(kept, 100, 10)
    assert not ask(kept, 0, 10)[0].any()
    assert ask(kept, 100, 10)[0].all()
    assert len(shard_files(tmp_path / "s")) == 1


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_user_is_forgotten_and_nobody_else(tmp_path: Path, on_disk: bool):
    kept = store(tmp_path / "s" if on_disk else None)
    offer(kept, 0, 9)
    offer(kept, 9, 9)
    assert kept.forget(np.array([[1, 1]], np.uint64)) == 6
    for reader in [kept, store(tmp_path / "s")] if on_disk else [kept]:
        assert ask(reader, 0, 18)[0].tolist() == [n % 3 != 1 for n in range(18)]
    held = b"".join(path.read_bytes() for path in shard_files(tmp_path / "s")) if on_disk else b""
    assert np.float32(1.0).tobytes() + np.linspace(1.0, 1.9, WIDTH, dtype=np.float32)[1:].tobytes() not in held
    assert kept.forget(np.array([[1, 1]], np.uint64)) == 0


def test_the_description_names_what_it_was_made_for(tmp_path: Path):
    store(tmp_path / "s")
    assert json.loads((tmp_path / "s" / META).read_text()) == MADE_FOR | {"format": 1}
