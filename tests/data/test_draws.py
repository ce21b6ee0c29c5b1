"""Draws by row id: what a row gets depends on its id and a key, and on nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regraft.data.build import build_stream
from regraft.data.draws import below, bits, runs, uniform
from regraft.data.labels import LabelRule
from regraft.data.stream import Stream
from worlds import ONE_PERIOD, logs, tiny_log, tiny_stream

MANY = np.arange(40_000)


def test_a_draw_belongs_to_an_id_whatever_stands_beside_it() -> None:
    whole = bits(MANY, 3)
    some = MANY[::-7]
    np.testing.assert_array_equal(bits(some, 3), whole[some])
    assert len(np.unique(whole)) == len(MANY)


def test_keys_give_draws_of_their_own() -> None:
    draws = [uniform(MANY, *key) for key in ((0,), (1,), (0, 1), (1, 0), (2**62,))]
    assert np.abs(np.corrcoef(draws) - np.eye(5)).max() < 0.03


def test_uniform_draws_fill_the_open_unit_interval_evenly() -> None:
    found = uniform(MANY, 0)
    assert found.min() > 0 and found.max() < 1
    counts = np.bincount((found * 20).astype(int), minlength=20)
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)


def test_negative_ids_are_ids_too() -> None:
    assert len(np.unique(bits(np.array([-3, -2, -1, 0, 1, -(2**62)])))) == 6


def test_draws_below_a_number_are_even() -> None:
    counts = np.bincount(below(MANY, np.full(len(MANY), 10), 5), minlength=10)
    assert np.abs(counts - 4000).max() < 5 * np.sqrt(4000)


def test_one_number_more_moves_a_draw_seldom_and_then_to_the_new_number() -> None:
    old, new = (below(MANY, np.full(len(MANY), n), 5) for n in (10, 11))
    moved = old != new
    assert (new[moved] == 10).all()
    assert abs(moved.mean() - 1 / 11) < 0.01


def test_below_one_there_is_only_zero() -> None:
    assert below(MANY[:50], np.ones(50, np.int64), 1).tolist() == [0] * 50
    assert below(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


# -- runs -------------------------------------------------------------------------------------------


def long_log(users: int = 30, events: int = 200) -> Stream:
    words = [f"u{n % users}:i{n % 7}{'+' if n % 3 else '-'}@{n}" for n in range(users * events)]
    return tiny_stream(" ".join(words))


def test_runs_hold_about_their_share_in_runs_of_about_their_length() -> None:
    stream = long_log()
    found = runs(stream, 10, 0.2, 1)
    assert abs(found.mean() - 0.2) < 0.05
    mine = found[stream.order.rows].reshape(30, -1)
    ends = (mine[:, :-1] & ~mine[:, 1:]).sum() + mine[:, -1].sum()
    assert 9 < mine.sum() / ends < 16  # neighbouring runs may both be chosen: 10 / (1 - 0.2)


def test_runs_depend_on_no_later_row() -> None:
    stream = tiny_stream(" ".join(f"u{n % 4}:i{n % 5}{'+' if n % 3 else '-'}@{n}h" for n in range(300)))
    for end in (1, 50, 299):
        part = stream._prefix(end, stream.cuts)
        assert runs(part, 5, 0.3, 1).tolist() == runs(stream, 5, 0.3, 1)[:end].tolist()


def test_a_share_of_none_or_all_is_none_or_all() -> None:
    stream = long_log(3, 20)
    assert not runs(stream, 5, 0.0, 1).any()
    assert runs(stream, 5, 1.0, 1).all()


@settings(max_examples=40, deadline=None)
@given(logs(most=60), st.integers(0, 59))
def test_a_row_that_is_gone_changes_the_run_it_stood_in_and_no_other(text: str, row: int) -> None:
    log = tiny_log(text)
    row = row % len(log)
    left = log.filter(log["line"] != row + 1)
    assume(left["value"].n_unique() == 2)
    whole = build_stream(log, log.select("item_id"), "rating > 3", ONE_PERIOD)
    short = build_stream(left, log.select("item_id"), "rating > 3", ONE_PERIOD)
    before = dict(zip(whole.row_id.tolist(), runs(whole, 4, 0.5, 1).tolist(), strict=True))
    after = dict(zip(short.row_id.tolist(), runs(short, 4, 0.5, 1).tolist(), strict=True))
    changed = [i for i in after if after[i] != before[i]]
    mine = log["user_id"][row]
    own = [i for i in after if log["user_id"][i - 1] == mine and i > row + 1]
    # Only rows of its own user behind it, and only the ones next to it: up to where the next run begins.
    assert set(changed) <= set(own)
    assert changed == own[: len(changed)]


def test_sampled_negatives_go_with_the_event_above_them() -> None:
    assert LabelRule("implicit").implicit
    words = " ".join(f"u{n % 5}:i{n % 9}+@{n}" for n in range(300))
    stream = tiny_stream(words, label="implicit", negatives=2)
    found = runs(stream, 5, 0.3, 1)
    above = np.maximum.accumulate(np.where(stream.happened, np.arange(len(found)), 0))
    np.testing.assert_array_equal(found, found[above])
    assert 0.1 < found.mean() < 0.6
