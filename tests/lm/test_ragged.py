"""Sequences in one flat array: against plain lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regraft.lm.ragged import Ragged, stack

sequences = st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=8)


def listed(ragged: Ragged) -> list[list[int]]:
    return [ragged[i].tolist() for i in range(len(ragged))]


@given(sequences)
def test_sequences_come_back_as_they_went_in(lists: list[list[int]]):
    ragged = Ragged.of(lists)
    assert listed(ragged) == lists
    assert ragged.lengths.tolist() == [len(s) for s in lists]


@given(sequences.filter(len), st.data())
def test_take_picks_sequences_with_repeats(lists: list[list[int]], data: st.DataObject):
    index = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=10))
    assert listed(Ragged.of(lists).take(np.array(index, dtype=np.int64))) == [lists[i] for i in index]


@given(st.lists(sequences, max_size=4))
def test_stack_puts_all_sequences_one_after_the_other(parts: list[list[list[int]]]):
    parts = [*parts, []]
    assert listed(stack([Ragged.of(p) for p in parts])) == [s for p in parts for s in p]


@given(st.lists(sequences, max_size=5))
def test_grouped_joins_neighbours(groups: list[list[list[int]]]):
    flat = Ragged.of([s for g in groups for s in g])
    joined = flat.grouped(np.array([len(g) for g in groups], dtype=np.int64))
    assert listed(joined) == [[token for s in g for token in s] for g in groups]
