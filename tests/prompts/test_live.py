"""Live facts under events: a batch moves them as its events would one after the other, caps of the day included."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts import live
from regraft.prompts.fact_sums import GROWN
from regraft.prompts.live import Event, Live, Quiet
from regraft.prompts.similarity.protocol import NONE
from worlds import logs, tiny_stream

DAY = 86_400_000
THREE = Periods(by="time", n=3, warm_up=0.3)
GENRES = {"i0": "crime, spy", "i1": "spy", "i2": "crime", "i3": "family"}
ITEMS = [*(f"i{k}" for k in range(5)), "new"]  # the last one is on offer and was in no event yet
PEOPLE = ["u0", "u1", "u2", "stranger"]


@pytest.fixture(autouse=True)
def _low_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PER_PERSON", 3)


def catalogue() -> pl.DataFrame:
    return pl.DataFrame({"item_id": ITEMS, "title": ITEMS, "genres": [GENRES.get(item, "spy") for item in ITEMS]})


def opened(stream: Stream, regime: str = "fresh", refresh: str = "event", similarity: str = NONE) -> Live:
    quiet = Quiet(frozenset({"u2"}), [Event("u2", "i1", 0, 1)])
    return Live(stream, catalogue(), Regime.parse(regime), refresh, similarity, 40, quiet=quiet)


def known(state: Live) -> list[object]:
    """Everything that a request could be answered from."""
    sums = state.facts._sums.arrays()  # where the rows of a group lie depends on how they came
    found: list[object] = [{name: sums[name].tolist() for name in ("time", "known_at", *GROWN, "places")}]
    for user in PEOPLE:
        request = state.request(user, ITEMS, state.now + 1)
        past = request.history
        tables = [
            table.to_dict(as_series=False) for table in (past.items, past.facts, request.facts) if table is not None
        ]
        found += [request.time, state.seen(user), past.label.tolist(), past.time.tolist(), past.before, tables]
    return found


@st.composite
def events(draw: st.DrawFn, after: int) -> list[Event]:
    """What people do on a day: some of it twice, some late, of items that nobody knows, or on a side of its own."""
    made, at = [], after
    for _ in range(draw(st.integers(1, 25))):
        at += draw(st.sampled_from([0, 0, 1, 60_000, -3_600_000]))
        user, item = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from([*ITEMS, "unheard of"]))
        made.append(Event(user, item, at, draw(st.integers(0, 1)), draw(st.sampled_from([False, False, True]))))
    return made


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    logs(), st.sampled_from(["fresh", "delayed 6h", "frozen", "paper"]), st.sampled_from(["event", "day", "period"]),
    st.booleans(), st.sampled_from([NONE, "tfidf"]), st.data(),
)  # fmt: skip
def test_a_batch_moves_facts_as_its_events_do_one_by_one(
    log: str, regime: str, refresh: str, implicit: bool, similarity: str, data: st.DataObject
) -> None:
    stream = tiny_stream(log, THREE, label="implicit" if implicit else "rating > 3", genres=GENRES)
    one_by_one, at_once = (opened(stream, regime, refresh, similarity) for _ in range(2))
    done = data.draw(events(after=one_by_one.now))
    cut = data.draw(st.integers(0, len(done)))
    counts = [one_by_one.tell([event]) for event in done]
    assert at_once.tell(done[:cut]) + at_once.tell(done[cut:]) == sum(counts)
    assert known(at_once) == known(one_by_one)


def test_of_one_person_as_many_events_of_a_batch_count_as_the_cap_allows_and_each_item_once() -> None:
    state = opened(tiny_stream("u0:i0+@1 u1:i1-@2 u1:i2+@3", THREE))
    rows, at = state.facts.rows, state.now + 1
    batch = [Event("stranger", item, at, 1) for item in ("i0", "i0", "unheard of", "i1", "i2", "i3")]
    assert state.tell(batch) == 3
    assert state.seen("stranger") == {"i0", "i1", "i2"}
    assert state.tell(batch) == 0
    assert state.facts.rows == rows + 3
    assert state.tell([Event("u0", "i3", at, 1)]) == 1  # the cap is one of each person


def test_an_event_that_comes_late_counts_as_known_with_the_newest() -> None:
    state = opened(tiny_stream("u0:i0+@1 u1:i1-@2 u1:i2+@3", THREE))
    now = state.now
    state.tell([Event("u0", "i1", now + DAY, 1), Event("u0", "i2", now + 5, 1), Event("u1", "i3", now + 2 * DAY, 1)])
    assert state.history("u0").time.tolist()[-2:] == [now + DAY, now + DAY]
    assert state.now == now + 2 * DAY
