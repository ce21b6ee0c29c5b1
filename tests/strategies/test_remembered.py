"""Rows that a blend remembers, in a log that grew, lost rows, or is another one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from regraft.data.build import build_stream
from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.blend import Blend
from regraft.strategies.close_period import CalibrationKind, close_period
from regraft.strategies.fine_tune import FineTune
from regraft.strategies.protocol import Strategy
from regraft.strategies.remembered import drop_gone, signed
from regraft.strategies.replay import Replay
from regraft.testing.fake_lab import FakeLab
from worlds import tiny_log

DAILY = Periods(by="calendar", every="1d")
ROWS = 40  # a day


def log_of(days: int = 5, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    words = [
        f"u{rng.integers(12)}:i{rng.integers(9)}{'+' if liked else '-'}@{86_400 * day + 60 * n}"
        for day in range(days)
        for n, liked in enumerate(rng.uniform(size=ROWS) < 0.5)
    ]
    return tiny_log(" ".join(words))


def stream_of(log: pl.DataFrame, name: str = "shop") -> Stream:
    return build_stream(log, log.select("item_id"), "rating > 3", DAILY, name=name)


LOG = log_of()
STREAM = stream_of(LOG)


def blend_of(
    stream: Stream,
    last: int,
    strategy: Strategy | None = None,
    kind: CalibrationKind = "none",
    lab: FakeLab | None = None,
) -> Blend:
    """What the closes of periods 1 to `last` give."""
    blend = None
    for period in range(1, last + 1):
        blend = close_period(
            strategy or Replay(buffer=30), blend, stream.until(period + 1), lab or FakeLab(), kind
        ).blend
    assert blend is not None
    return blend


# -- another log ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [Replay(buffer=30), FineTune()])
def test_a_blend_that_meets_another_log_is_refused(strategy: Strategy) -> None:
    blend = blend_of(STREAM, 2, strategy)
    other = stream_of(log_of(seed=1), "other shop")
    with pytest.raises(ModelError) as caught:
        close_period(strategy, blend, other.until(4), FakeLab())
    assert str(caught.value).startswith("blend, asked to go on with the stream 'other shop': was made on another log: ")
    assert str(caught.value).endswith(
        "rows that it remembers are other rows there\n"
        "Expected the log it was renewed with, grown or with rows taken out\nBegin with no blend: a new run folder"
    )


def test_a_log_with_other_row_ids_is_refused_as_well() -> None:
    blend = blend_of(STREAM, 2)
    renamed = stream_of(LOG.with_columns(line=pl.col("line") + 10_000))
    with pytest.raises(ModelError, match=r"none of the [0-9]+ rows that it remembers is there"):
        close_period(Replay(buffer=30), blend, renamed.until(4), FakeLab())


def test_the_same_log_grown_is_its_own_log() -> None:
    short = build_stream(LOG[: 3 * ROWS], LOG.select("item_id"), "rating > 3", DAILY)
    blend, lab = blend_of(short, 2), FakeLab()
    grown = build_stream(LOG, LOG.select("item_id"), "rating > 3", DAILY, cuts=short.frozen)
    assert close_period(Replay(buffer=30), blend, grown.until(4), lab).blend.hash == blend_of(STREAM, 3).hash
    assert not any("gone" in note for note in lab.notes)


# -- rows that are gone -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "logistic", "stack"])
def test_a_blend_goes_on_without_rows_that_are_gone_and_says_how_many(kind: CalibrationKind) -> None:
    blend = blend_of(STREAM, 3, kind=kind)
    remembered = {int(i) for name, ids in blend.state.items() if name.endswith(".rows") for i in ids}
    left = LOG.filter(pl.col("user_id") != "u3")
    gone = remembered & set(LOG.filter(pl.col("user_id") == "u3")["line"].to_list())
    assert gone
    closed = close_period(Replay(buffer=30), blend, stream_of(left).until(5), FakeLab(), kind)
    assert closed.renewal.notes[0] == (
        f"{len(gone)} of {len(remembered)} remembered rows are gone from the log: goes on without them"
    )
    for name, ids in closed.blend.state.items():
        if name.endswith(".rows"):
            assert not gone & set(ids.tolist())


def test_replay_recalls_rows_of_the_log_only() -> None:
    blend, lab = blend_of(STREAM, 3), FakeLab()
    left = stream_of(LOG.filter(pl.col("user_id") != "u3"))
    recalling = Replay(buffer=30, share=5.0)
    close_period(recalling, blend, left.until(5), lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    recalled = set(fit.view.in_periods(1, 3).ids.tolist())
    assert recalled == set(blend.state["reservoir.rows"].tolist()) & set(left.row_id.tolist())
    assert len(recalled) < len(blend.state["reservoir.rows"])
    assert "u3" not in left.user_ids.gather(fit.view.users).to_list()


def test_keys_and_scores_stay_with_their_rows() -> None:
    blend = blend_of(STREAM, 3, kind="logistic")
    left = stream_of(LOG.filter(pl.col("user_id") != "u3"))
    kept = drop_gone(blend, left.until(5), [])
    for group, values in (("reservoir", "reservoir.keys"), ("served", "served.log_odds")):
        before = dict(zip(blend.state[f"{group}.rows"].tolist(), blend.state[values].tolist(), strict=True))
        after = dict(zip(kept.state[f"{group}.rows"].tolist(), kept.state[values].tolist(), strict=True))
        assert after == {i: v for i, v in before.items() if i in set(left.row_id.tolist())}
        assert len(after) < len(before)


def test_a_row_that_is_gone_makes_room_for_the_next_one_and_redraws_no_other() -> None:
    """The reservoir of a log without a row is the reservoir of the whole log without it, plus one."""
    whole = set(blend_of(STREAM, 4).state["reservoir.rows"].tolist())
    for line in sorted(whole)[::6]:
        other = set(blend_of(stream_of(LOG.filter(pl.col("line") != line)), 4).state["reservoir.rows"].tolist())
        assert whole - other == {line}
    outside = [i for i in LOG["line"][: 4 * ROWS].to_list() if i not in whole][::25]
    for line in outside:
        other = set(blend_of(stream_of(LOG.filter(pl.col("line") != line)), 4).state["reservoir.rows"].tolist())
        assert other == whole


def test_a_blend_that_lost_nothing_stays_the_same_object() -> None:
    blend, notes = blend_of(STREAM, 2), []  # type: ignore[var-annotated]
    assert drop_gone(blend, STREAM.until(4), notes) is blend
    assert notes == []


def test_arrays_that_belong_to_no_row_are_left_alone() -> None:
    rows = STREAM.row_id[:2]
    blend = signed(
        Blend.of(None, state={"kept.rows": rows, "kept.value": np.array([1.0, 2.0]), "mean": np.zeros(2)}), STREAM
    )
    left = drop_gone(blend, stream_of(LOG[1:]), [])
    assert left.state["kept.rows"].tolist() == [2]
    assert left.state["kept.value"].tolist() == [2.0]
    assert left.state["mean"].tolist() == [0.0, 0.0]


def test_a_past_of_two_rows_that_loses_one_still_knows_how_far_it_was_closed() -> None:
    """The mark of the newest row is two numbers long and belongs to no row."""
    log = tiny_log("a:x+@0d b:y-@0.5d a:y+@1d b:x-@1.2d")
    blend = close_period(FineTune(), None, stream_of(log).until(2), FakeLab()).blend
    left = stream_of(log[1:])
    assert drop_gone(blend, left.until(3), []).state["until"].tolist() == blend.state["until"].tolist()
    assert close_period(FineTune(), blend, left.until(2), FakeLab()).renewal.notes[-1].startswith("no new examples")


def test_a_group_that_remembers_nothing_is_signed_and_read_again() -> None:
    none = np.zeros(0, np.int64)
    blend = signed(Blend.of(None, state={"empty.rows": none}), STREAM)
    assert blend.state["empty.checks"].tolist() == []
    assert drop_gone(blend, STREAM, []) is blend
