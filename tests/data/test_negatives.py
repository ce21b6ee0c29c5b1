"""Dislikes that are sampled where nobody said so: one draw per closed period, from all that was on offer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from regraft.data.build import build_stream
from regraft.data.interactions import TIME
from regraft.data.negatives import closings, in_words, untouched
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.facts import fact_table
from worlds import logs, tiny_log, tiny_stream

DAILY = Periods(by="calendar", every="1d")
HOUR = 3_600_000


def named(stream: Stream, rows: np.ndarray) -> list[tuple[str, str]]:
    """(user, item) of the rows."""
    users, items = stream.user_ids.gather(stream.user[rows]), stream.items["item_id"].gather(stream.item[rows])
    return list(zip(users, items, strict=True))


# -- one draw per period ----------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(logs(items=8))
def test_a_negative_is_an_item_seen_before_its_periods_end_and_not_in_the_basket(text: str) -> None:
    stream = tiny_stream(text, DAILY, label="implicit", negatives=3)
    for row in np.flatnonzero(~stream.happened):
        closed = stream.happened & (stream.period <= stream.period[row])
        basket = stream.happened & (stream.time == stream.time[row]) & (stream.user == stream.user[row])
        assert stream.item[row] in stream.item[closed]
        assert stream.item[row] not in stream.item[basket]
        assert stream.label[row] == 0


def test_an_item_may_be_a_negative_before_its_first_event_and_its_facts_are_those_of_an_unknown_item() -> None:
    rows = " ".join(f"u{n}:i{n}+@{n}h" for n in range(24))
    stream = tiny_stream(rows, DAILY, label="implicit", negatives=2)
    first = {int(i): int(stream.time[stream.happened & (stream.item == i)].min()) for i in np.unique(stream.item)}
    early = [r for r in np.flatnonzero(~stream.happened) if stream.time[r] < first[int(stream.item[r])]]
    assert early
    table = fact_table(stream, Regime())
    assert set(table["item_count"].gather(early)) == {0.0} and set(table["item_age"].gather(early)) == {0.0}


def test_what_the_user_bought_before_may_be_drawn() -> None:
    rows = " ".join(f"ann:i{n % 3}+@{n}h" for n in range(24))
    stream = tiny_stream(rows, DAILY, label="implicit")
    free = np.flatnonzero(~stream.happened)
    assert len(free) == 24
    bought = [stream.item[r] in stream.item[stream.happened & (stream.time < stream.time[r])] for r in free]
    assert np.mean(bought) > 0.5


def test_the_negatives_of_a_closed_period_stay_when_new_items_appear() -> None:
    old = " ".join(f"u{n % 5}:i{n % 6}+@{n}h" for n in range(48))
    new = " ".join(f"u{n % 5}:j{n % 9}+@{n}h" for n in range(48, 72))
    short, whole = tiny_log(old), tiny_log(f"{old} {new}")
    before, after = (build_stream(log, log.select("item_id"), "implicit", DAILY, negatives=2) for log in (short, whole))
    n = len(before.time)
    assert before.item.tolist() == after.item[:n].tolist()
    assert before.row_id.tolist() == after.row_id[:n].tolist()


def test_who_buys_all_there_is_at_once_gets_no_negative() -> None:
    stream = tiny_stream("ann:x+@1h ann:y+@1h bob:x+@2h", DAILY, label="implicit")
    assert named(stream, ~stream.happened) == [("bob", "y")]


def test_a_catalogue_date_puts_an_item_on_offer_before_its_first_event_or_without_one() -> None:
    log = tiny_log(" ".join(f"u{n}:i{n % 2}+@{n}h" for n in range(40)))
    items = pl.DataFrame(
        {"item_id": ["i0", "i1", "unsold", "later"], "known_at": [None, None, 2 * HOUR, 30 * HOUR]},
        schema_overrides={"known_at": pl.Int64},
    ).with_columns(pl.from_epoch("known_at", "ms").dt.replace_time_zone("UTC").cast(TIME))
    stream = build_stream(log, items, "implicit", DAILY, negatives=4)
    days = [
        {item for _, item in named(stream, np.flatnonzero(~stream.happened & (stream.period == p)))} for p in (1, 2)
    ]
    assert "unsold" in days[0] and "later" not in days[0]
    assert "later" in days[1]
    assert "later" not in stream.until(2).items["item_id"].to_list()


def test_with_a_gap_a_row_that_an_update_sees_is_drawn_from_what_is_known_by_then() -> None:
    cuts, period = (0, 100, 200, 300), np.array([1, 1, 2, 3])
    assert closings(np.array([20, 90, 150, 299]), period, cuts, gap=30).tolist() == [70, 100, 170, 300]
    assert closings(np.array([20, 90, 150, 299]), period, cuts).tolist() == [100, 100, 200, 300]
    # A gap longer than a period: the row is first seen two cuts later, its period is closed before that.
    assert closings(np.array([90]), np.array([1]), cuts, gap=150).tolist() == [100]


@pytest.mark.parametrize(
    ("sampler", "per_positive", "said"),
    [
        ("period", 1, "drawn per period from all items on offer, one per positive"),
        ("untouched", 3, "drawn per row from items seen before that the user had not touched, 3 per positive"),
    ],
)
def test_the_sampler_is_named_in_words(sampler: str, per_positive: int, said: str) -> None:
    assert in_words(sampler, per_positive) == f"negatives: {said}"  # type: ignore[arg-type]


# -- one draw per row, from what the user had not touched ---------------------------------------------


@settings(max_examples=25, deadline=None)
@given(logs(items=8))
def test_a_negative_is_an_item_that_was_there_and_that_the_user_had_not_touched(text: str) -> None:
    stream = tiny_stream(text, label="implicit", negatives=3, sampler="untouched")
    for row in np.flatnonzero(~stream.happened):
        by_then = (stream.known_at <= stream.known_at[row]) & stream.happened
        assert stream.item[row] in stream.item[by_then]
        assert stream.item[row] not in stream.item[by_then & (stream.user == stream.user[row])]
        assert stream.label[row] == 0


@settings(max_examples=25, deadline=None)
@given(logs(items=8))
def test_a_prefix_of_the_log_has_the_same_negatives(text: str) -> None:
    whole = tiny_stream(text, label="implicit", negatives=2, sampler="untouched")
    words = text.split()
    last = words[len(words) // 2].rpartition("@")[2]
    kept = " ".join(w for w in words if int(w.rpartition("@")[2]) <= int(last))
    part = tiny_stream(kept, label="implicit", negatives=2, sampler="untouched")
    end = len(part.time)
    for name in ("row_id", "item", "user", "known_at", "happened"):
        assert getattr(part, name).tolist() == getattr(whole, name)[:end].tolist()


def test_who_has_touched_everything_gets_no_negative() -> None:
    stream = tiny_stream("a:x+@1 a:y+@2 b:x+@3", label="implicit", negatives=2, sampler="untouched")
    assert stream.user_ids.gather(stream.user[~stream.happened]).to_list() == ["b", "b"]
    assert stream.items["item_id"].gather(stream.item[~stream.happened]).to_list() == ["y", "y"]


def test_another_seed_draws_others_and_every_item_is_drawn_alike() -> None:
    n = 3000
    user, item = np.arange(n + 10, dtype=np.int32), np.concatenate([np.arange(10), np.zeros(n)]).astype(np.int32)
    at = np.concatenate([np.zeros(10), np.arange(1, n + 1)]).astype(np.int64)
    drawn = [untouched(user, item, at, np.arange(n + 10), 1, seed)[1] for seed in (0, 1)]
    assert (drawn[0] != drawn[1]).mean() > 0.8
    counts = np.bincount(drawn[0][10:], minlength=10)
    assert counts[0] == 0  # everybody has touched the first item
    assert np.abs(counts[1:] - n / 9).max() < 5 * np.sqrt(n / 9)


def test_negatives_have_names_that_tell_their_positive_and_their_number() -> None:
    stream = tiny_stream(" ".join(f"u{n}:i{n % 4}+@{n}" for n in range(12)), label="implicit", negatives=2)
    free = stream.row_id[~stream.happened]
    assert (free < 0).all() and len(np.unique(stream.row_id)) == len(stream.row_id)
    positive = (-1 - free) // 1024
    at = stream.positions(positive)
    assert (stream.known_at[at] == stream.known_at[~stream.happened]).all()
    assert set(((-1 - free) % 1024).tolist()) == {0, 1}
