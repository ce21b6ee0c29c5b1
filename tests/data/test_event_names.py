"""What names of events say, and that no rule ever takes a dislike for a like."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regraft.data import event_names, propose
from regraft.data.labels import LabelRule
from regraft.errors import DataError

AGAINST = [
    "-1", "dislike", "Dislike", "thumbs_down", "thumbsDown", "\U0001f44e", "\U0001f44e\U0001f3fd", "remove_from_cart",
    "RemoveFromCart", "removed from wishlist", "unsubscribe", "unlike", "skip", "hide", "not_interested",
    "not interested",
    "downvote", "return", "refund", "cancel_order", "delete", "false", "No", "don't recommend", "\u274c", "-1.0",
    "カートから削除", "低評価", "不喜欢", "order cancelled",
]  # fmt: skip
FOR = ["+1", "like", "thumbs_up", "thumbsUp", "\U0001f44d", "purchase", "add_to_cart", "Yes", "true", "购买", "いいね"]
NEITHER = ["view", "impression", "page_view", "view_cart", "pv", "2", "search", "exposure"]


@pytest.mark.parametrize("kind", AGAINST)
def test_the_opposite_of_liked_is_known(kind: str) -> None:
    assert event_names.is_negative(kind)
    assert event_names.strongest([kind, "zzz"]) is None


@pytest.mark.parametrize("kind", FOR)
def test_what_means_liked_is_known(kind: str) -> None:
    assert not event_names.is_negative(kind)
    assert event_names.strongest([kind, "zzz"]) == kind


@pytest.mark.parametrize("kind", NEITHER)
def test_what_was_only_seen_is_neither(kind: str) -> None:
    assert not event_names.is_negative(kind)
    assert event_names.strongest([kind, "zzz"]) is None


def rule(*kinds: str) -> propose.Proposal[str]:
    return propose.label_rule(
        pl.DataFrame({"event": kinds, "value": [None] * len(kinds)}, schema_overrides={"value": pl.Float64})
    )


@pytest.mark.parametrize(
    ("kinds", "value"),
    [
        (("-1", "-1", "+1"), 'event == "+1"'),
        (("0", "0", "1"), 'event == "1"'),
        (("\U0001f44e", "\U0001f44e", "\U0001f44d"), 'event == "\U0001f44d"'),
        (("view", "view", "remove_from_cart"), 'event == "view"'),
        (("impression", "thumbs_down", "thumbs_down"), 'event == "impression"'),
        (("zzz", "view"), "implicit"),
        (("1", "2", "3", "4"), "implicit"),
        (('say "hi"', "skip"), "event == 'say \"hi\"'"),
    ],
)  # fmt: skip
def test_the_rule_names_a_like_or_says_that_it_guesses(kinds: tuple[str, ...], value: str) -> None:
    proposed = rule(*kinds)
    assert proposed.value == value
    unsure = any(event_names.is_negative(kind) for kind in kinds) and event_names.strongest(kinds) is None
    assert ("a guess" in proposed.reason) == unsure
    assert ("is not known" in proposed.reason) == (value == "implicit")


def test_a_log_of_dislikes_only_gets_no_rule() -> None:
    with pytest.raises(DataError, match="has events only that mean the opposite of liked: dislike, skip"):
        rule("dislike", "skip", "dislike")


@given(st.lists(st.sampled_from([*AGAINST, *FOR, *NEITHER]), min_size=1, max_size=6))
def test_no_row_that_means_the_opposite_is_ever_liked_by_a_proposed_rule(kinds: list[str]) -> None:
    try:
        value = rule(*kinds).value
    except DataError:
        assert all(event_names.is_negative(kind) for kind in kinds)
        return
    rows = pl.DataFrame({"event": kinds, "value": [None] * len(kinds)}, schema_overrides={"value": pl.Float64})
    liked = rows.filter(LabelRule(value).expression() == 1)["event"] if value != "implicit" else rows["event"]
    assert not any(event_names.is_negative(kind) for kind in liked)
