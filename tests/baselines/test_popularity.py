from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from regraft.baselines.popularity import Popularity
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from worlds import tiny_stream

DAILY = Periods(by="calendar", every="1d")


def renewed(stream: Stream, period: int, half_life: float = 1.0) -> Popularity:
    baseline = Popularity(Regime(), half_life=half_life)
    baseline.renew(stream.until(period))
    return baseline


def test_a_like_counts_half_as_much_after_every_half_life() -> None:
    stream = tiny_stream("a:heat+@0d b:up+@1d c:up-@1d d:up-@2d d:big+@2d e:new-@3d", DAILY)
    baseline = renewed(stream, 4)
    np.testing.assert_allclose(list(baseline.counts.values()), [1 / 4, 1 / 2, 1.0])  # heat, up, big
    np.testing.assert_allclose(list(renewed(stream, 4, half_life=2.0).counts.values()), [1 / 2, 2**-0.5, 1.0])


def test_a_dislike_counts_nothing() -> None:
    stream = tiny_stream("a:heat-@0d b:up+@0d c:up-@1d d:heat+@1d e:up+@2d", DAILY)
    np.testing.assert_allclose(list(renewed(stream, 2).counts.values()), [0.0, 1.0])


def liking(kept: str) -> Stream:
    """Every day likes go to what was liked before; `kept` is liked again on the last day but one."""
    days = [f"u{d}{n}:{item}{'+' if item != 'bad' else '-'}@{d}d" for d in range(4) for n, item in enumerate(ITEMS)]
    return tiny_stream(" ".join([*days, *(f"v{n}:{kept}+@3d" for n in range(5)), "z:old+@4d z:hit+@4d"]), DAILY)


ITEMS = ("old", "hit", "bad", "bad", "old", "hit")


@pytest.mark.parametrize(("kept", "other"), [("old", "hit"), ("hit", "old")])
def test_what_was_liked_lately_comes_first(kept: str, other: str) -> None:
    stream = liking(kept)
    scores = dict(zip(("old", "hit"), renewed(stream, 5).score(stream.cases(5)), strict=True))
    assert scores[kept] > scores[other]


def test_an_item_nobody_has_seen_scores_as_one_that_nobody_liked() -> None:
    stream = tiny_stream("a:heat+@0d b:up-@0d a:heat+@1d b:up-@1d c:up+@2d c:fresh+@2d", DAILY)
    up, fresh = renewed(stream, 3).score(stream.cases(3))
    assert up == fresh


def test_it_learns_from_the_popularity_that_was_known_when_the_newest_period_began() -> None:
    """The likes of the newest period cannot explain themselves: here they say nothing about it."""
    stream = tiny_stream(
        "a:heat+@0d b:up+@0d c:bad-@0d a:heat+@1d b:up-@1d c:heat-@1d d:up+@1d x:heat+@2d x:up-@2d x:bad-@2d",
        DAILY,
    )
    baseline = renewed(stream, 3)
    assert baseline.model.weights == pytest.approx(0.0, abs=1e-9)
    assert len(set(baseline.score(stream.cases(3)))) == 1


def test_a_case_of_the_past_is_not_recognised_by_its_own_like() -> None:
    """Rows set aside for the table by period lie in the history that is counted."""
    log = "a:heat+@0d b:up-@0d a:heat+@1d b:up-@1d c:up{}@1d d:up+@2d"
    scores = []
    for sign in "+-":
        stream = tiny_stream(log.format(sign), DAILY)
        past = stream.until(3)
        baseline = Popularity(Regime(), half_life=1.0)
        baseline.renew(past.only(past.targets != 4))
        scores.append(baseline.score(stream.cases(2).only(np.array([2]))))
    np.testing.assert_allclose(scores[0], scores[1])


@pytest.mark.parametrize("half_life", [0, -1, "soon"])
def test_an_impossible_half_life_is_refused(half_life: object) -> None:
    with pytest.raises(ValidationError, match="half_life"):
        Popularity(Regime(), half_life=half_life)  # type: ignore[arg-type]
