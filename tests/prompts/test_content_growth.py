"""Content facts of logs that grow: what comes later changes nothing, and each number is one that can be counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.alike import CONTENT, GRID, PRIOR
from regraft.prompts.fact_state import FactState
from regraft.prompts.facts import fact_table
from regraft.prompts.similarity.protocol import on_grid, similarity_of
from worlds import logs, tiny_stream

DAYS = Periods(by="calendar", every="1d")  # their cuts do not move when a log grows
WORDS = ("crime", "spy", "family", "crime, spy", "spy, family", "")
SIMILARITIES = st.sampled_from(["columns", "tfidf"])
LABELS = st.sampled_from(["rating > 3", "implicit"])
GENRES = st.lists(st.sampled_from(WORDS), min_size=8, max_size=8)


def stream_of(log: str, genres: list[str], label: str = "rating > 3") -> Stream:
    named = {f"{kind}{n}": genre for n, genre in enumerate(genres) for kind in ("i", "new")}
    return tiny_stream(log, DAYS, genres=named, titles={name: f"about {name}" for name in named}, label=label)


def content(stream: Stream, similarity: str, regime: str = "fresh") -> pl.DataFrame:
    """Worked out anew, of the rows that happened: which negatives are drawn may change while a period is open."""
    alone = replace(stream, shared={})
    return fact_table(alone, Regime.parse(regime), similarity=similarity).select(CONTENT).filter(stream.happened)


def later(log: str, more: str) -> str:
    """The second log behind the first one, of new items: its first events may share the instant of the last one."""
    end = int(log.rsplit("@", 1)[1])
    words = (word.replace(":i", ":new").split("@") for word in more.split())
    return " ".join([log, *(f"{what}@{end + int(at)}" for what, at in words)])


# -- never peek --------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    logs(users=4, most=20),
    logs(users=5, most=10),
    GENRES,
    SIMILARITIES,
    LABELS,
    st.sampled_from(["fresh", "delayed 6h", "frozen"]),
)
def test_rows_and_items_that_come_later_change_no_content_fact(
    log: str, more: str, genres: list[str], similarity: str, label: str, regime: str
):
    short, grown = (stream_of(text, genres, label) for text in (log, later(log, more)))
    before, after = (content(stream, similarity, regime) for stream in (short, grown))
    assert len(after) > len(before) == int(short.happened.sum())
    assert after[: len(before)].equals(before)


# -- counted one by one ------------------------------------------------------------------------------


def counted(s: Stream, row: int, known: list[int], alike: np.ndarray, lean: np.ndarray) -> tuple[float, float, float]:
    """The content facts of a row under the regime fresh, from the rows above it.

    `known` items are those that the period began with, `alike` their cosines, `lean` residuals by row.
    """
    item = int(s.item[row])
    past = [r for r in range(row) if s.time[r] < s.time[row] and s.happened[r]]
    likes = sum(int(s.label[r]) for r in past)
    usual = len(past) / max(1, len({int(s.item[r]) for r in past})) if s.implicit else 0.0
    top = mass = 0.0
    for other in known:
        if other != item:
            of_other = [r for r in past if s.item[r] == other]
            top += alike[item, other] ** 2 * sum(int(s.label[r]) for r in of_other)
            mass += alike[item, other] ** 2 * (len(of_other) + usual)
    mean = 0.5 if s.implicit else (likes + 1) / (len(past) + 2)
    mine = [r for r in past if s.user[r] == s.user[row]]
    weight = {r: alike[item, s.item[r]] ** 2 for r in mine}
    vote = sum(weight[r] * lean[r] for r in mine) / (sum(weight.values()) + 0.5) if mine else 0.0
    best = max((alike[item, s.item[r]] for r in mine if lean[r] > 0 and s.item[r] != item), default=0.0)
    return (top + PRIOR * mean) / (mass + PRIOR), vote, best


def cosines(s: Stream, known: list[int], similarity: str) -> np.ndarray:
    """[items, items] in multiples of 1 / GRID; all 0 where nothing was known to fit on."""
    model = similarity_of(similarity)
    model.fit(s.items[known])
    vectors = on_grid(model.vectors(s.items)).toarray().astype(np.float64)
    return np.rint(np.clip(vectors @ vectors.T, 0, 1) * GRID) / GRID


@settings(max_examples=12, deadline=None)
@given(logs(users=4, most=20), GENRES, SIMILARITIES, LABELS)
def test_every_content_fact_is_the_one_that_is_counted_row_by_row(
    log: str, genres: list[str], similarity: str, label: str
):
    s = stream_of(log, genres, label)
    table = fact_table(s, Regime(), similarity=similarity)
    lean = s.label - table["item_rate"].to_numpy()
    for period in np.unique(s.period):
        rows = np.flatnonzero(s.period == period)
        known = sorted({int(s.item[r]) for r in range(rows[0]) if s.happened[r]})
        alike = cosines(s, known, similarity)
        expected = [counted(s, row, known, alike, lean) for row in rows]
        np.testing.assert_allclose(table.select(CONTENT)[rows].to_numpy(), expected, atol=1e-6)


# -- day by day --------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(logs(users=4), GENRES, SIMILARITIES, LABELS, st.data())
def test_a_state_that_grows_day_by_day_gives_what_is_built_at_once(
    log: str, genres: list[str], similarity: str, label: str, data: st.DataObject
):
    """Texts are told on the day of an item's first event; questions in between, strangers among them, move nothing."""
    s = stream_of(log, genres, label)
    state, told = FactState(Regime(), "event", s.implicit, similarity), []
    for period in np.unique(s.period):
        while state.period < period:
            state.close_period()
        rows = np.flatnonzero(s.period == period)
        state.know(s.items[: int(s.item[: rows[-1] + 1].max()) + 1])
        users, items = s.user_ids.gather(s.user[rows]), s.items["item_id"].gather(s.item[rows])
        told.append(state.take(users, items, s.time[rows], s.label[rows], s.happened[rows], s.known_at[rows]))  # type: ignore[arg-type]
        asked = data.draw(st.lists(st.sampled_from(["i0", "i3", "new1", "nobody"]), max_size=3))
        assert len(state.ask("u0", asked, int(s.time[rows[-1]]) + 1)) == len(asked)
    assert pl.concat(told).select(CONTENT).equals(fact_table(s, Regime(), similarity=similarity).select(CONTENT))
