"""The block rule: which history stands before a target, whatever the view it is seen in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.timeline import Layout, Shape, lay_out
from worlds import logs, tiny_stream

REGIMES = [Regime("fresh"), Regime("delayed"), Regime("frozen"), Regime("paper")]
THREE = Periods(by="time", n=3, warm_up=0.2)
# ann judges two items at one instant, then one more in the next second.
TIES = "ann:a+@1 ann:b-@2 ann:c+@2 bob:a+@2 ann:d-@3"


def known_items(view: Stream, p: Layout, example: int) -> list[str]:
    """Titles of the events before an example, oldest first."""
    first = view.order.start[p.user[example]]
    rows = view.order.rows[first + p.start[example] : first + p.known[example]]
    return [view.items["title"][int(view.item[r])] for r in rows]


def long_log(n: int) -> str:
    return " ".join(f"ann:i{t % 7}{'+' if t % 3 else '-'}@{t}" for t in range(n))


# -- regimes -----------------------------------------------------------------------------------------


def test_fresh_targets_of_one_instant_do_not_see_each_other():
    p = lay_out(tiny_stream(TIES), Regime("fresh"), Shape())
    assert p.known.tolist() == [0, 1, 1, 0, 3]
    assert p.in_line.tolist() == [True, True, False, True, True]


def test_paper_puts_every_target_in_line_in_file_order():
    p = lay_out(tiny_stream(TIES), Regime("paper"), Shape())
    assert p.known.tolist() == [0, 1, 2, 0, 3]
    assert p.in_line.all()


def test_frozen_targets_know_what_came_before_their_period_and_no_more():
    view = tiny_stream("ann:a+@0 ann:b-@1 ann:c+@10 ann:d-@11 ann:e+@20 ann:f+@21", Periods(by="time", n=3))
    assert view.period.tolist() == [1, 1, 2, 2, 3, 3]
    p = lay_out(view, Regime("frozen"), Shape())
    assert p.known.tolist() == [0, 0, 2, 2, 4, 4]
    assert p.in_line.tolist() == [True, False] * 3
    assert known_items(view, p, 3) == ["a", "b"]


def test_frozen_warm_up_rows_know_everything_strictly_earlier():
    view = tiny_stream("ann:a+@0 ann:b-@1 ann:c+@10 ann:d-@20", Periods(by="time", n=2, warm_up=0.5))
    assert lay_out(view.warm_up(), Regime("frozen"), Shape()).known.tolist() == [0, 1]


def test_delayed_targets_know_what_is_at_least_that_old():
    view = tiny_stream("ann:a+@0h ann:b-@1h ann:c+@6h ann:d+@7h")
    p = lay_out(view, Regime.parse("delayed 6h"), Shape())
    assert p.known.tolist() == [0, 0, 1, 2]
    assert known_items(view, p, 3) == ["a", "b"]


def test_sampled_negatives_are_isolated_and_nobodys_history():
    view = tiny_stream("ann:a+@0 ann:b+@1 bob:c+@2 ann:d+@3 bob:a+@4", label="implicit", negatives=2)
    p = lay_out(view, Regime("fresh"), Shape())
    drawn = ~view.happened[p.rows]
    assert drawn.any()
    assert not p.in_line[drawn].any()
    for example in range(len(view)):
        user, row = p.user[example], p.rows[example]
        earlier = (view.user == user) & view.happened & (view.time < view.time[row])
        assert p.known[example] == earlier.sum()


# -- blocks ------------------------------------------------------------------------------------------


def test_a_prefix_is_rebased_every_h_events_to_w_events_of_context():
    p = lay_out(tiny_stream(long_log(12)), Regime(), Shape(context=2, targets=4))
    assert p.block.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert p.start.tolist() == [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6]
    assert (p.known - p.start).tolist() == [0, 1, 2, 3, 2, 3, 4, 5, 2, 3, 4, 5]


@pytest.mark.parametrize("regime", REGIMES, ids=str)
@pytest.mark.parametrize("shape", [Shape(5, 10), Shape(7, 3), Shape(1, 1)], ids=str)
def test_a_prefix_holds_w_to_fewer_than_w_plus_h_events_once_the_history_is_long(regime: Regime, shape: Shape):
    p = lay_out(tiny_stream(long_log(60), THREE), regime, shape)
    length = p.known - p.start
    long = p.block * shape.targets >= shape.context
    assert (length[long] >= shape.context).all()
    assert (length < shape.context + shape.targets).all()
    assert (length[~long] == p.known[~long]).all()


@settings(max_examples=40, deadline=None)
@given(logs(), st.sampled_from(REGIMES), st.integers(1, 6), st.integers(1, 6))
def test_a_plan_is_the_same_in_every_view_that_holds_the_example(log: str, regime: Regime, w: int, h: int):
    whole = tiny_stream(log, THREE)
    full = lay_out(whole, regime, Shape(w, h))
    for view in [*(whole.until(t) for t in (2, 3, 4)), *(whole.cases(t) for t in (1, 2, 3))]:
        p = lay_out(view, regime, Shape(w, h))
        at = np.searchsorted(full.rows, p.rows)
        for name in ("rows", "user", "known", "start", "block", "in_line"):
            assert np.array_equal(getattr(p, name), getattr(full, name)[at]), name
        for i, j in list(enumerate(at))[:10]:
            assert known_items(view, p, i) == known_items(whole, full, j)


@settings(max_examples=40, deadline=None)
@given(logs(), st.sampled_from(REGIMES))
def test_an_example_in_line_knows_its_user_up_to_itself_and_no_example_knows_its_own_verdict(log: str, regime: Regime):
    view = tiny_stream(log, THREE)
    p = lay_out(view, regime, Shape(3, 4))
    own = view.order.index[p.rows]
    assert (p.known <= own).all()
    assert np.array_equal(p.in_line, p.known == own)
    assert (p.start <= p.known).all()
    assert (regime.known(view) <= np.arange(len(view.time))).all()
