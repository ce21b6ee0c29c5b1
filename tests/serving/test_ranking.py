"""Reasons in words against counts made from the log itself, and their wording."""

from __future__ import annotations

import re

import numpy as np
import pytest

from regraft.data.regimes import Regime
from regraft.prompts.fact_state import FactState, Reasons
from regraft.serving.ranking import in_turn, in_words
from regraft.serving.service import Service
from site_world import SiteWorld


def reasons(seen: int, liked: int, alike: int = 0, implicit: bool = False) -> Reasons:
    return Reasons(np.array([seen]), np.array([liked]), np.array([alike]), implicit)


@pytest.mark.parametrize(
    ("counts", "kin", "said"),
    [
        (reasons(1234, 913, 3), 0.5, "liked by 74 % of 1.2k; like three that you liked"),
        (reasons(2, 1), 0.5, "liked by 50 % of 2; liked by those who like what you like"),
        (reasons(0, 0, 12), 0.0, "new here; like 12 that you liked"),
        (reasons(0, 0), 0.0, "new here"),
        (reasons(1, 1, 1, implicit=True), 0.0, "chosen once; like one that you liked"),
        (reasons(40, 40, implicit=True), 0.0, "chosen 40 times"),
    ],
)
def test_the_wording(counts: Reasons, kin: float, said: str) -> None:
    assert in_words(counts, 0, kin) == said


def test_sources_take_turns_and_an_item_stands_once() -> None:
    assert in_turn([["a", "b", "c"], [], ["b", "d"]], 4) == ["a", "b", "d", "c"]
    assert in_turn([["a", "b", "c"], ["x"]], 2) == ["a", "x"]


def test_what_is_said_is_counted_in_the_log(world: SiteWorld) -> None:
    service = Service(world.site)
    stream = service.live.stream
    code = {item: k for k, item in enumerate(stream.items["item_id"])}
    shown = [item for user in ("u001", "u002", "u003") for item in service.recommend(user, 5).items]
    for item in shown:
        rows = stream.happened & (stream.item == code.get(item.item, -1))
        seen, liked = int(rows.sum()), int(stream.label[rows].sum())
        told = f"liked by {liked / seen:.0%}".replace("%", " %") + f" of {seen}" if seen else "new here"
        assert item.why.split("; ")[0] == told
    assert any("liked by" in item.why for item in shown)
    service.stop()


def test_alike_are_liked_items_of_similar_texts_but_for_the_item_itself(world: SiteWorld) -> None:
    service = Service(world.site)
    stream, live = service.live.stream, service.live
    every = stream.items["item_id"].to_list()
    for code in range(3):
        user = str(stream.user_ids[code])
        rows = stream.happened & (stream.user == code) & (stream.label > 0)
        liked = sorted({every[k] for k in stream.item[rows]})
        found = live.facts.reasons(user, every, live.now + 1, 0.3).alike
        vectors = live.facts._sums.alike.vectors
        kind = live.facts._sums.alike.kind
        cosine = (vectors @ vectors.T).toarray()[np.ix_(kind, kind)]
        where = {item: k for k, item in enumerate(every)}
        for item, count in zip(every, found, strict=True):
            near = [one for one in liked if one != item and cosine[where[item], where[one]] >= 0.3 - 2.0**-13]
            assert count == len(near)
    service.stop()


def test_a_stranger_and_an_unknown_item_have_nothing_alike() -> None:
    state = FactState(Regime(), similarity="tfidf")
    found = state.reasons("nobody", ["nothing"], 1, 0.3)
    assert (found.seen.tolist(), found.alike.tolist()) == ([0], [0])
    assert not re.search("like", in_words(found, 0))
