"""Content facts beside a plain computation of the same numbers, row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts import alike, fact_sums
from regraft.prompts.alike import CONTENT, NEAREST, Alike
from regraft.prompts.facts import fact_table
from regraft.prompts.similarity.columns import Columns
from regraft.testing._ground import small_stream
from worlds import tiny_stream

GENRES = {"heat": "crime", "ronin": "crime, spy", "up": "family", "bond": "spy", "babe": "family"}
LOG = (
    "ann:heat+@1h ann:up-@2h bob:heat+@3h bob:up-@4h cat:ronin-@5h cat:babe+@6h "
    "ann:ronin+@1d bob:bond+@1.2d cat:heat-@1.3d ann:babe-@1.4d cat:bond+@1.5d bob:ronin+@1.6d"
)
DAYS = Periods(by="calendar", every="1d")


def stream(label: str = "rating > 3") -> Stream:
    return tiny_stream(LOG, DAYS, genres=GENRES, label=label)


def cosines(known: np.ndarray, items: Stream) -> np.ndarray:
    similarity = Columns()
    similarity.fit(items.items[known])
    vectors = similarity.vectors(items.items).toarray().astype(np.float64)
    return np.clip(vectors @ vectors.T, 0, 1)


def by_hand(s: Stream, row: int) -> tuple[float, float, float]:
    """The content facts of a row of the second day, under the regime fresh."""
    began = int(np.searchsorted(s.period, s.period[row]))
    known = np.unique(s.item[:began][s.happened[:began]])
    near, i = cosines(known, s), s.item[row]
    rate = fact_table(s, Regime())["item_rate"].to_numpy()
    past = [r for r in range(len(s.time)) if s.time[r] < s.time[row] and s.happened[r]]
    mean, usual = (s.label[past].sum() + 1) / (len(past) + 2), len(past) / len(set(s.item[past]))
    top = mass = 0.0
    for j in known[known != i]:
        n, likes = (s.item[past] == j).sum(), s.label[past][s.item[past] == j].sum()
        top, mass = top + near[i, j] ** 2 * likes, mass + near[i, j] ** 2 * (n + (usual if s.implicit else 0))
    mine = [r for r in past if s.user[r] == s.user[row]]
    w = np.array([near[i, s.item[r]] ** 2 for r in mine])
    vote = (w * (s.label[mine] - rate[mine])).sum() / (w.sum() + 0.5)
    best = max([near[i, s.item[r]] for r in mine if s.label[r] and s.item[r] != i], default=0.0)
    return (top + 10 * (0.5 if s.implicit else mean)) / (mass + 10), vote, best


@pytest.mark.parametrize("label", ["rating > 3", "implicit"])
def test_the_content_facts_are_those_worked_out_by_hand(label: str) -> None:
    s = stream(label)
    table = fact_table(s, Regime(), similarity="columns").select(CONTENT)
    second = np.flatnonzero(s.period == s.period[-1])
    for row in second:
        assert table.row(int(row)) == pytest.approx(by_hand(s, int(row)), abs=2e-3)
    if label != "implicit":
        assert table[second]["alike_best"].max() > 0 and table[second]["alike_vote"].min() < 0


def test_without_known_items_the_rate_is_the_average_and_the_rest_is_zero() -> None:
    table = fact_table(stream(), Regime(), similarity="columns")
    assert table.row(0, named=True)["alike_rate"] == 0.5
    assert table[:6]["alike_vote"].to_list() == [0] * 6 == table[:6]["alike_best"].to_list()


def test_an_item_that_was_liked_before_is_not_its_own_best() -> None:
    s = tiny_stream("ann:heat+@1h bob:up-@2h ann:heat+@1d ann:ronin+@1.1d", DAYS, genres=GENRES)
    best = fact_table(s, Regime(), similarity="columns")["alike_best"].to_list()
    assert best[2] == 0 and best[3] == pytest.approx(1, abs=1e-3)


def test_no_more_than_the_nearest_are_asked_and_of_equals_the_first() -> None:
    names = [f"i{n}" for n in range(NEAREST + 20)]
    log = " ".join(f"ann:{name}{'+' if n < NEAREST else '-'}@{n + 1}s" for n, name in enumerate(names))
    s = tiny_stream(f"{log} bob:new+@1d", DAYS, genres=dict.fromkeys([*names, "new"], "crime"))
    rate = fact_table(s, Regime(), similarity="columns")["alike_rate"].to_list()[-1]
    mean = (NEAREST + 1) / (NEAREST + 22)
    assert rate == pytest.approx((NEAREST + 10 * mean) / (NEAREST + 10), abs=1e-3)


@pytest.mark.parametrize("similarity", ["columns", "tfidf"])
@pytest.mark.parametrize("regime", ["fresh", "delayed 6h", "frozen", "paper"])
def test_a_table_of_a_prefix_is_the_first_part_of_the_table(
    similarity: str, regime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fact_sums, "WARM_UP_SLICE", 100)
    whole = small_stream()
    alone = [tiny(whole.until(4)), tiny(whole)]
    short, long = (fact_table(s, Regime.parse(regime), similarity=similarity) for s in alone)
    assert short.equals(long[: len(short)])
    assert long["alike_best"].max() > 0


def tiny(view: Stream) -> Stream:
    """The view with nothing worked out yet."""
    return replace(view, shared={})


def test_vectors_of_items_told_later_do_not_change_those_there() -> None:
    s, one, other = stream(), Alike("tfidf"), Alike("tfidf")
    for each in (one, other):
        each.know(s.items)
        each.fit(np.arange(3), 6)
    one.reserve(2)
    one.reserve(len(s.items))
    other.reserve(len(s.items))
    assert one.vectors.toarray().tobytes() == other.vectors.toarray().tobytes()


# -- large catalogues --------------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", ["columns", "tfidf"])
def test_no_fact_depends_on_how_many_similarities_are_held_at_once(
    similarity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = tiny(small_stream())
    at_once = fact_table(s, Regime(), similarity=similarity).select(CONTENT)
    monkeypatch.setattr(alike, "CELLS", 40)
    assert fact_table(tiny(s), Regime(), similarity=similarity).select(CONTENT).equals(at_once)


def test_of_a_catalogue_that_is_too_large_the_items_with_the_most_events_are_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = "ann:once+@1h ann:often-@2h bob:often-@3h bob:twice-@4h cat:twice-@5h cat:new+@1d"
    s = tiny_stream(log, DAYS, genres=dict.fromkeys(["once", "often", "twice", "new"], "crime"))
    monkeypatch.setattr(fact_sums, "MOST_KNOWN", 2)
    rate = fact_table(s, Regime(), similarity="columns")["alike_rate"].to_list()[-1]
    assert rate == pytest.approx((0 + 10 * 2 / 7) / (4 + 10), abs=1e-3)  # `once`, the one that was liked, is left out


def test_which_items_stand_for_a_large_catalogue_does_not_depend_on_what_comes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fact_sums, "MOST_KNOWN", 9)
    monkeypatch.setattr(fact_sums, "WARM_UP_SLICE", 100)
    short, long = (fact_table(tiny(s), Regime(), similarity="tfidf") for s in (small_stream().until(4), small_stream()))
    assert short.equals(long[: len(short)])
