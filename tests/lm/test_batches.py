"""Padded batches: every block once, little padding, nothing visible that should not be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lm.models import encoder_for, random_world, tokenizer
from regraft.lm.batches import STEP, batches, grouped
from regraft.lm.encode import Blocks
from regraft.lm.ragged import Ragged
from regraft.prompts.timeline import Shape

CPU = torch.device("cpu")


def plain_blocks(lengths: list[int], isolated: list[bool] | None = None) -> Blocks:
    """Blocks of the given lengths with one example each, read at the last token."""
    tokens = Ragged.of([list(range(1, n + 1)) for n in lengths])
    position = np.concatenate([np.arange(n) for n in lengths]).astype(np.int32)
    segment = np.repeat(np.array(isolated or [False] * len(lengths)).astype(np.int32), lengths)
    number = np.arange(len(lengths))
    return Blocks(tokens, position, position + 1, segment, number, number, number, tokens.lengths - 1, number % 2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1, max_size=40),
    st.integers(16, 2000),
    st.booleans(),
)
def test_every_block_and_example_comes_exactly_once_within_the_budget(
    drawn: list[tuple[int, bool]], most: int, left: bool
):
    blocks = plain_blocks([n for n, _ in drawn], [copy for _, copy in drawn])
    found = list(batches(blocks, np.arange(len(blocks)), most, CPU, left))
    assert sorted(np.concatenate([b.examples for b in found])) == list(range(len(blocks)))
    assert sum(b.tokens for b in found) == len(blocks.tokens.data)
    for batch in found:
        assert batch.ids.numel() <= most or len(batch.ids) == 1
        assert batch.ids[batch.row, batch.read].tolist() == blocks.tokens.lengths[batch.examples].tolist()
        assert int(batch.inside.sum()) == batch.tokens
        assert (batch.visible is None) == (not left and not blocks.isolated[batch.examples].any())


def test_only_the_chosen_blocks_come():
    blocks = plain_blocks([5, 6, 7, 8])
    found = list(batches(blocks, np.array([3, 1]), 100, CPU))
    assert [b.examples.tolist() for b in found] == [[3, 1]]


def test_no_block_is_no_batch():
    assert list(batches(plain_blocks([5]), np.zeros(0, dtype=np.int64), 100, CPU)) == []


@pytest.mark.parametrize("most", [2048, 8192, 16_384])
def test_at_least_four_fifths_of_a_realistic_mix_is_no_padding(most: int):
    """Histories of very different length: log-normal, from a new user's one event to a full block."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(4.5, 0.9, 2000).astype(int), 20, 620)
    blocks = plain_blocks(lengths.tolist(), (rng.random(2000) < 0.4).tolist())
    groups = list(grouped(blocks, rng.permutation(2000), most))
    assert sorted(np.concatenate(groups)) == list(range(2000))
    padded = sum(len(g) * int(lengths[g].max()) for g in groups)
    assert lengths.sum() / padded >= 0.8


def test_blocks_with_isolated_copies_do_not_cost_the_others_their_fast_path():
    blocks = plain_blocks([40] * 10, [k % 2 == 0 for k in range(10)])
    found = list(batches(blocks, np.arange(10), 10_000, CPU))
    assert [b.visible is None for b in found] == [True, False]


def test_the_budget_counts_lengths_rounded_up_to_the_step():
    blocks = plain_blocks([STEP + 1] * 8)
    assert [len(g) for g in grouped(blocks, np.arange(8), 4 * STEP)] == [2, 2, 2, 2]


@pytest.mark.parametrize("left", [False, True])
def test_visibility_in_a_padded_batch_is_that_of_each_block(left: bool):
    blocks = encoder_for(tokenizer(), shape=Shape(2, 3)).encode(random_world(3, events=20))
    [*_, batch] = batches(blocks, np.arange(len(blocks)), 10**6, CPU, left)
    assert batch.visible is not None
    assert batch.position is not None
    for row in range(len(batch.ids)):
        real = batch.inside[row].numpy()
        block = int(blocks.block[batch.examples[batch.row.numpy() == row][0]])
        first, last = blocks.tokens.start[block], blocks.tokens.start[block + 1]
        limit, segment = blocks.limit[first:last], blocks.segment[first:last]
        place = np.arange(last - first)
        line = (segment[None, :] == 0) & (place[None, :] < limit[:, None])
        own = (segment[None, :] == segment[:, None]) & (segment[None, :] > 0) & (place[None, :] <= place[:, None])
        seen = batch.visible[row].numpy()
        assert (seen[np.ix_(real, real)] == (line | own)).all()
        assert not seen[np.ix_(real, ~real)].any()
        assert seen.any(axis=1).all()
        assert batch.position[row].numpy()[real].tolist() == blocks.position[first:last].tolist()
