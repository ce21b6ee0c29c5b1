"""A log of which only so many days are kept is the log of a store from which the older rows were deleted."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings

from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.kept import kept_since
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.row_checks import row_checks
from regraft.data.stream import ROW_COLUMNS, Stream
from regraft.prompts.facts import fact_table
from worlds import logs, tiny_log, tiny_stream

DAYS = Periods(by="calendar", every="1d")


def same(one: Stream, other: Stream) -> None:
    for name in (*ROW_COLUMNS, "targets"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    assert one.user_ids.equals(other.user_ids)
    assert one.items.equals(other.items)
    assert one.cuts == other.cuts
    assert one.fingerprint == other.fingerprint


@given(logs())
@settings(max_examples=30, deadline=None)
def test_what_is_left_is_what_a_store_without_the_older_rows_would_give(text: str) -> None:
    whole = tiny_stream(text, DAYS)
    middle = int(whole.time[len(whole.time) // 2])
    log = tiny_log(text)
    names = log["item_id"].unique(maintain_order=True)
    items = pl.DataFrame({"item_id": names, "title": names, "genres": pl.Series([""] * len(names))})
    left = log.filter(pl.col("timestamp").dt.epoch("ms") >= middle)
    assume(left["value"].n_unique() == 2)  # the label rule wants a like and a dislike
    same(kept_since(whole, middle), build_stream(left, items, "rating > 3", DAYS, name="tiny", cuts=whole.frozen))


def test_facts_see_kept_rows_only() -> None:
    whole = tiny_stream("ann:heat+@1 bob:heat-@2 ann:up-@3 bob:up+@4 cid:heat+@5")
    facts = fact_table(kept_since(whole, 2_000), Regime())
    assert facts["item_count"].to_list() == [0, 0, 1, 1]
    assert facts["user_count"].to_list() == [0, 0, 1, 0]


def test_a_log_of_which_everything_is_kept_stays_the_same_stream() -> None:
    whole = tiny_stream("ann:heat+@1 bob:heat-@2")
    assert kept_since(whole, 1_000) is whole


def test_views_of_what_is_left_end_at_the_same_cuts() -> None:
    whole = tiny_stream("ann:heat+@1 bob:heat-@1d ann:up-@2d bob:up+@3d", DAYS)
    left = kept_since(whole, 86_400_000)
    assert left.until(3).row_id.tolist() == [2]
    assert left.cases(3).ids.tolist() == whole.cases(3).ids.tolist() == [3]


@pytest.mark.parametrize("label", ["implicit", 'event == "click"'])
def test_rows_that_are_left_know_each_other_again(label: str) -> None:
    world = simulate(DriftWorld(users=40, items=20, periods=6, seed=2))
    log = world.interactions.filter(event="click") if label == "implicit" else world.interactions
    whole = build_stream(log, world.items, label, DAYS)
    left = kept_since(whole, whole.cuts[2])
    at = whole.positions(left.row_id)
    assert (at >= 0).all()
    np.testing.assert_array_equal(row_checks(whole, at), row_checks(left, np.arange(len(at))))
    assert len(fact_table(left, Regime())) == len(at)


def test_the_newest_examples_may_span_several_periods() -> None:
    whole = tiny_stream("ann:heat+@1 bob:heat-@1d ann:up-@2d bob:up+@3d", DAYS)
    newest, older = whole.newest_since(3).split_last()
    assert (newest.ids.tolist(), older.ids.tolist()) == ([3, 4], [1, 2])
