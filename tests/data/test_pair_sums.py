"""Sums for pairs of items: by hand, and equal to the bit in both kinds of storage."""

from __future__ import annotations

import numpy as np
import pytest

from regraft.data import pair_sums
from regraft.data.pair_sums import NORM, SHRINK, DenseStore, PairSums, SortedStore, pairs

NONE = np.zeros(0, dtype=np.int64)


def time_lines(users: int = 30, events: int = 8, items: int = 12) -> tuple[np.ndarray, ...]:
    """(item, residual, start, index) of every event; user u owns the events u * events to (u + 1) * events."""
    rng = np.random.default_rng(5)
    n = users * events
    return rng.integers(0, items, n), rng.normal(0, 0.5, n), np.arange(n) // events * events, np.arange(n) % events


def filled() -> PairSums:
    item, residual, start, index = time_lines()
    sums = PairSums()
    sums.add(item, residual, start, index, item, residual)
    return sums


def every_pair(sums: PairSums, expected: int = 0) -> np.ndarray:
    n = len(sums.square)
    return sums.similarity(expected)(np.repeat(np.arange(n), n), np.tile(np.arange(n), n)).reshape(n, n)


def test_two_items_that_one_user_liked_are_alike_and_one_rating_shrinks_it():
    item, residual = np.array([0, 1]), np.array([0.5, 0.5])
    sums = PairSums()
    sums.add(item, residual, np.array([0, 0]), np.array([0, 1]), item, residual)
    assert every_pair(sums) == pytest.approx(np.full((2, 2), 1 / (1 + SHRINK)))


def test_disagreement_is_no_similarity():
    item, residual = np.array([0, 1]), np.array([0.5, -0.5])
    sums = PairSums()
    sums.add(item, residual, np.array([0, 0]), np.array([0, 1]), item, residual)
    assert every_pair(sums)[0, 1] == 0


@pytest.mark.parametrize("dense", [0, 5_000])
def test_similarity_is_that_of_the_users_by_items_matrices(monkeypatch: pytest.MonkeyPatch, dense: int):
    monkeypatch.setattr(pair_sums, "DENSE_ITEMS", dense)
    item, residual, start, _ = time_lines()
    cells = np.zeros((2, 30, 12))
    np.add.at(cells[0], (start // 8, item), residual)
    np.add.at(cells[1], (start // 8, item), 1)
    products, joint = (m.T @ m for m in cells)
    norm = np.sqrt(np.maximum(np.diag(products), NORM))
    expected = np.maximum(products / np.outer(norm, norm) * joint / (joint + SHRINK), 0)
    sums = filled()
    assert isinstance(sums.store, DenseStore if dense else SortedStore)
    np.testing.assert_allclose(every_pair(sums), expected, atol=1e-7)


def test_storage_look_ups_and_batches_change_no_bit(monkeypatch: pytest.MonkeyPatch):
    whole = every_pair(filled(), expected=10**9)
    assert every_pair(filled()).tobytes() == whole.tobytes()
    monkeypatch.setattr(pair_sums, "TILE", 5)
    assert every_pair(filled(), expected=10**9).tobytes() == whole.tobytes()
    monkeypatch.setattr(pair_sums, "DENSE_ITEMS", 0)
    monkeypatch.setattr(pair_sums, "BATCH", 7)
    assert every_pair(filled()).tobytes() == whole.tobytes()


def test_events_added_one_by_one_give_the_sums_of_all_at_once():
    item, residual, start, index = time_lines()
    grown = PairSums()
    for n in range(len(item)):
        one = slice(n, n + 1)
        grown.add(item[one], residual[one], start[one], index[one], item, residual)
    assert every_pair(grown).tobytes() == every_pair(filled()).tobytes()


def test_more_items_than_dense_arrays_hold_move_the_sums_to_sorted_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pair_sums, "DENSE_ITEMS", 12)
    sums = filled()
    assert isinstance(sums.store, DenseStore)
    before = every_pair(sums)
    sums.add(np.array([12]), np.array([0.5]), np.array([0]), np.array([0]), NONE, np.zeros(0))
    assert isinstance(sums.store, SortedStore)
    assert every_pair(sums)[:12, :12].tobytes() == before.tobytes()


def test_few_pairs_stay_sorted_keys_and_many_become_dense_arrays():
    sums = PairSums()
    sums.add(np.array([400]), np.array([0.5]), np.array([0]), np.array([0]), NONE, np.zeros(0))
    assert isinstance(sums.store, SortedStore)
    assert isinstance(filled().store, DenseStore)


@pytest.mark.parametrize("dense", [0, 5_000])
def test_arrays_restore_every_similarity(monkeypatch: pytest.MonkeyPatch, dense: int):
    monkeypatch.setattr(pair_sums, "DENSE_ITEMS", dense)
    sums = filled()
    copy = PairSums.restored(sums.arrays())
    assert every_pair(copy).tobytes() == every_pair(sums).tobytes()


def test_items_that_the_sums_do_not_know_are_like_no_other():
    similar = filled().similarity(0)
    assert similar(np.array([0, 99, 0]), np.array([99, 99, 0])).tolist()[:2] == [0, 0]
    assert PairSums().similarity(0)(np.array([0]), np.array([1])).tolist() == [0]


def test_pairs_come_case_by_case_in_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pair_sums, "BATCH", 4)
    start, count = np.array([10, 20, 30, 40]), np.array([2, 0, 5, 1])
    found = [(part.start, part.stop, line.tolist()) for part, line in pairs(start, count)]
    assert found == [(0, 2, [10, 11]), (2, 3, [30, 31, 32, 33, 34]), (3, 4, [40])]
