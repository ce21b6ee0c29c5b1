"""What counts as liked, and the dislikes that are sampled where nobody said so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from regraft.data.labels import LabelRule, sample_negatives
from regraft.errors import ConfigError, DataError
from worlds import logs, tiny_log, tiny_stream

LOG = tiny_log("a:x+@1 b:y-@2 a:y+@3")


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("rating > 3", [1, 0, 1]),
        ("value >= 5", [1, 0, 1]),
        ("rating<1.5", [0, 1, 0]),
        ("rating <= 1", [0, 1, 0]),
        ("value == 5.0", [1, 0, 1]),
        ("value != 5", [0, 1, 0]),
        ("rating > -1", None),
    ],
)
def test_a_rule_compares_the_value_with_a_number(rule: str, labels: list[int] | None) -> None:
    if labels is None:
        with pytest.raises(DataError, match="gives every one of 3 rows the same label"):
            LabelRule(rule).apply(LOG)
    else:
        assert LabelRule(rule).apply(LOG)["label"].to_list() == labels


def test_a_rule_compares_the_event_with_a_word_in_quotes() -> None:
    log = LOG.with_columns(event=LOG["event"].clone().set(LOG["line"] == 2, "click"))
    assert LabelRule('event == "click"').apply(log)["label"].to_list() == [0, 1, 0]
    assert LabelRule("event != 'click'").apply(log)["label"].to_list() == [1, 0, 1]


def test_the_implicit_rule_likes_every_row() -> None:
    rule = LabelRule(" implicit ")
    assert rule.implicit
    assert rule.apply(LOG)["label"].to_list() == [1, 1, 1]


@pytest.mark.parametrize(
    "rule", ["", "rating", "rating > x", "event > click", 'rating > "3"', "event == 3", "rating > 3 or 4", "liked == 1"]
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LabelRule(rule)
    assert str(caught.value) == (
        f"label rule '{rule}': cannot be read\nExpected e.g. rating > 3, value >= 4, event == \"click\", or implicit"
    )


def test_rows_without_a_value_are_counted_and_refused() -> None:
    log = LOG.with_columns(value=LOG["value"].clone().set(LOG["line"] == 2, None))
    with pytest.raises(DataError) as caught:
        LabelRule("rating > 3").apply(log)
    assert str(caught.value) == (
        "label rule 'rating > 3': 1 of 3 rows have no value to compare\nExpected a value in every row\n"
        "For a log without ratings use the rule: implicit"
    )


# -- sampled negatives ------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(logs(items=8))
def test_a_negative_is_an_item_that_was_there_and_that_the_user_had_not_touched(text: str) -> None:
    stream = tiny_stream(text, label="implicit", negatives=3)
    for row in np.flatnonzero(~stream.happened):
        by_then = (stream.known_at <= stream.known_at[row]) & stream.happened
        assert stream.item[row] in stream.item[by_then]
        assert stream.item[row] not in stream.item[by_then & (stream.user == stream.user[row])]
        assert stream.label[row] == 0


@settings(max_examples=25, deadline=None)
@given(logs(items=8))
def test_a_prefix_of_the_log_has_the_same_negatives(text: str) -> None:
    whole = tiny_stream(text, label="implicit", negatives=2)
    words = text.split()
    last = words[len(words) // 2].rpartition("@")[2]
    part = tiny_stream(
        " ".join(w for w in words if int(w.rpartition("@")[2]) <= int(last)), label="implicit", negatives=2
    )
    end = len(part.time)
    for name in ("row_id", "item", "user", "known_at", "happened"):
        assert getattr(part, name).tolist() == getattr(whole, name)[:end].tolist()


def test_who_has_touched_everything_gets_no_negative() -> None:
    stream = tiny_stream("a:x+@1 a:y+@2 b:x+@3", label="implicit", negatives=2)
    assert stream.user_ids.gather(stream.user[~stream.happened]).to_list() == ["b", "b"]
    assert stream.items["item_id"].gather(stream.item[~stream.happened]).to_list() == ["y", "y"]


def test_another_seed_draws_others_and_every_item_is_drawn_alike() -> None:
    n = 3000
    user, item = np.arange(n + 10, dtype=np.int32), np.concatenate([np.arange(10), np.zeros(n)]).astype(np.int32)
    at = np.concatenate([np.zeros(10), np.arange(1, n + 1)]).astype(np.int64)
    drawn = [sample_negatives(user, item, at, np.arange(n + 10), 1, seed)[1] for seed in (0, 1)]
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
