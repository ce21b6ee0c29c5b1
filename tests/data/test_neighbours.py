"""The neighbour vote: by hand, and independent of the company in which a case is asked."""

from __future__ import annotations

import numpy as np
import pytest

from regraft.data import pair_sums
from regraft.data.neighbours import FLOOR, votes
from regraft.data.pair_sums import SHRINK, PairSums

# 60 users; each liked items 0 and 1, or disliked both, and judged item 2 the other way round.
LIKED = np.resize([0.5, 0.5, -0.5, -0.5, -0.5, 0.5], 180)
LINE = np.resize([0, 1, 2], 180)


def sums() -> PairSums:
    made, index = PairSums(), np.arange(180) % 3
    made.add(LINE, LIKED, np.arange(180) - index, index, LINE, LIKED)
    return made


def vote(item: list[int], count: list[int], line: tuple[int, ...], residual: tuple[float, ...]) -> np.ndarray:
    """Votes of a user with one history, of which each case knows the first `count` events."""
    cases = np.array(item), np.zeros(len(item), dtype=np.int64), np.array(count)
    return votes(sums().similarity(0), *cases, np.array(line), np.array(residual))


def test_a_vote_is_the_residual_of_the_like_item_weighted_and_faded():
    alike = 60 / (60 + SHRINK)  # the cosine is 1
    assert vote([1], [1], (0,), (0.4,)) == pytest.approx([0.4 * alike / (alike + FLOOR)])


def test_what_people_judge_the_other_way_round_is_no_evidence():
    assert vote([2], [1], (0,), (0.4,)).tolist() == [0]


def test_only_the_known_part_of_the_history_votes():
    none, one, two = vote([1, 1, 1], [0, 1, 2], (0, 1), (0.4, -0.4))
    assert none == 0 < one
    assert two < one


def test_a_case_gets_the_same_bits_alone_and_in_any_company(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    line, residual = tuple(rng.integers(0, 3, 50)), tuple(rng.normal(size=50))
    item, count = rng.integers(0, 3, 40).tolist(), rng.integers(0, 51, 40).tolist()
    together = vote(item, count, line, residual)
    alone = [vote([i], [c], line, residual)[0] for i, c in zip(item, count, strict=True)]
    assert together.tolist() == alone
    monkeypatch.setattr(pair_sums, "BATCH", 9)
    assert vote(item, count, line, residual).tolist() == alone


def test_an_unknown_item_gets_no_vote():
    assert vote([99], [2], (0, 1), (0.4, 0.4)).tolist() == [0]
