"""The neighbour vote: its definition in loops, and that neither storage nor later rows change it."""

from __future__ import annotations

import numpy as np
import pytest

from regraft.data import pair_sums
from regraft.data.asof import chunks
from regraft.data.neighbours import FLOOR, kin
from regraft.data.pair_sums import NORM, SHRINK, PairSums
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from worlds import tiny_stream

SIX = Periods(by="time", n=6)
DAYS = Periods(by="calendar", every="1d")


def log(rows: int = 120, users: int = 12, items: int = 9, seed: int = 3) -> str:
    """A random log in which users rate some items again and some rows share their instant."""
    rng = np.random.default_rng(seed)
    words = (f"u{rng.integers(users)}:i{rng.integers(items)}{rng.choice(['+', '-'])}@{n // 2}h" for n in range(rows))
    return " ".join(words)


def votes_of(stream: Stream, regime: str = "fresh") -> np.ndarray:
    return kin(stream, Regime.parse(regime).known(stream), stream.label - 0.4)


def by_loops(stream: Stream, regime: str) -> np.ndarray:
    """Each vote as its definition reads: user-by-item matrices of all that the chunk's first row knows."""
    known, residual = Regime.parse(regime).known(stream), stream.label - 0.4
    votes = np.zeros(len(stream.time))
    for first, end in chunks(stream):
        cells = np.zeros((2, len(stream.user_ids), len(stream.items)))
        for k in np.flatnonzero(stream.happened[: known[first]]):
            cells[:, stream.user[k], stream.item[k]] += residual[k], 1
        products, joint = (m.T @ m for m in cells)
        norm = np.sqrt(np.maximum(np.diag(products), NORM))
        alike = np.maximum(products / np.outer(norm, norm) * joint / (joint + SHRINK), 0)
        for r in range(first, end):
            mine = [k for k in range(known[r]) if stream.happened[k] and stream.user[k] == stream.user[r]]
            weight = alike[stream.item[mine], stream.item[r]]
            votes[r] = weight @ residual[mine] / (weight.sum() + FLOOR)
    return votes


@pytest.mark.parametrize("label", ["rating > 3", "implicit"])
@pytest.mark.parametrize("dense", [0, 5_000])
@pytest.mark.parametrize("regime", ["fresh", "delayed 6h", "frozen", "paper"])
def test_votes_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch, regime: str, dense: int, label: str):
    monkeypatch.setattr(pair_sums, "DENSE_ITEMS", dense)
    stream = tiny_stream(log(), SIX, label=label)
    assert np.count_nonzero(votes_of(stream, regime)) > 20
    np.testing.assert_allclose(votes_of(stream, regime), by_loops(stream, regime), atol=1e-6)


def test_sorted_sums_and_small_batches_give_the_votes_of_dense_sums_to_the_bit(monkeypatch: pytest.MonkeyPatch):
    stream = tiny_stream(log(), SIX)
    dense = votes_of(stream)
    monkeypatch.setattr(pair_sums, "DENSE_ITEMS", 0)
    monkeypatch.setattr(pair_sums, "BATCH", 7)
    assert votes_of(stream).tobytes() == dense.tobytes()
    assert np.count_nonzero(dense) > 20


def test_more_items_than_dense_arrays_hold_move_the_sums_to_sorted_keys(monkeypatch: pytest.MonkeyPatch):
    stream = tiny_stream(log(items=20), SIX)
    dense = votes_of(stream)
    monkeypatch.setattr(pair_sums, "DENSE_ITEMS", 15)
    assert votes_of(stream).tobytes() == dense.tobytes()


def test_the_storage_is_chosen_by_how_many_pairs_of_items_have_met():
    sums = PairSums()
    sums.add(np.array([0]), np.array([0.5]), np.array([0]), np.array([0]), np.zeros(0, int), np.zeros(0))
    assert isinstance(sums.store, pair_sums.SortedStore)
    line, residual = np.array([0, 1]), np.array([0.5, 0.5])
    sums.add(line[1:], residual[1:], np.array([0]), np.array([1]), line, residual)
    assert isinstance(sums.store, pair_sums.DenseStore)


def test_later_rows_and_new_items_cannot_move_a_bit_of_an_earlier_vote():
    early = log(180, users=7, items=5)
    later = " ".join(f"u{n % 7}:new{n}+@{n}h" for n in range(90, 150))
    alone, longer = (tiny_stream(text, DAYS) for text in (early, f"{early} {later}"))
    assert np.count_nonzero(votes_of(alone)) > 20
    assert votes_of(alone).tobytes() == votes_of(longer)[:180].tobytes()


def test_progress_is_told_after_every_chunk():
    stream, told = tiny_stream(log(), SIX), []
    kin(stream, Regime().known(stream), stream.label - 0.4, lambda done, rows: told.append((done, rows)))
    assert told == [(end, len(stream.time)) for _, end in chunks(stream)]
