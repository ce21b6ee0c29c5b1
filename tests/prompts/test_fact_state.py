"""Facts as a state: told a log in time order, it gives the fact table of the log, and it asks nothing of the future."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from threading import Thread

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.build import build_stream
from regraft.data.ingest import ingest
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError
from regraft.prompts import fact_sums
from regraft.prompts.fact_state import FactState
from regraft.prompts.fact_sums import NEVER
from regraft.prompts.facts import COLUMNS, fact_table
from regraft.prompts.known_rows import REFRESH
from worlds import logs, tiny_log, tiny_stream

SHARED = Path(os.environ.get("REGRAFT_DATA") or Path(__file__).parents[3] / "shared" / "data")
REGIMES = ["fresh", "delayed 6h", "frozen", "paper"]
THREE = Periods(by="time", n=3, warm_up=0.3)
DAILY = "ann:heat+@0d ann:up-@1d bob:heat+@2d bob:up-@3d ann:it+@4d"


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Slices of the warm-up so small that tiny worlds have several."""
    if "public" not in request.node.name:
        monkeypatch.setattr(fact_sums, "WARM_UP_SLICE", 4)


GENRES = {"i0": "crime, spy", "i1": "spy", "i2": "crime", "i3": "family"}
SIMILARITIES = ["columns", "tfidf"]


def new(stream: Stream, regime: str = "fresh", refresh: str = "event", similarity: str = "none") -> FactState:
    state = FactState(Regime.parse(regime), refresh, stream.implicit, similarity)
    state.know(stream.items)
    return state


def told(state: FactState, stream: Stream, first: int, end: int) -> pl.DataFrame:
    """What the state gives for the rows [first, end) of one period, after the closes before them."""
    while state.period < stream.period[first]:
        state.close_period()
    rows = slice(first, end)
    users, items = stream.user_ids.gather(stream.user[rows]), stream.items["item_id"].gather(stream.item[rows])
    return state.take(
        users.to_list(),
        items.to_list(),
        stream.time[rows],
        stream.label[rows],
        stream.happened[rows],
        stream.known_at[rows],
    )


def batches(stream: Stream, size: int) -> list[tuple[int, int]]:
    """Row ranges of at most `size` rows, each inside one period."""
    edges = [0, *(np.flatnonzero(np.diff(stream.period)) + 1).tolist(), len(stream.time)]
    starts = sorted({*edges, *range(0, len(stream.time), size)})
    return list(itertools.pairwise(starts))


def replayed(state: FactState, stream: Stream, size: int) -> pl.DataFrame:
    return pl.concat([told(state, stream, first, end) for first, end in batches(stream, size)])


def bits(table: pl.DataFrame) -> dict[str, bytes]:
    return {name: table[name].to_numpy().tobytes() for name in table.columns}


def contents(state: FactState) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state._sums.arrays().items()}


# -- the fact table ----------------------------------------------------------------------------------


def assert_told_as_the_table(log: str, regime: str, refresh: str, implicit: bool, similarity: str) -> None:
    stream = tiny_stream(log, THREE, label="implicit" if implicit else "rating > 3", genres=GENRES)
    table = replayed(new(stream, regime, refresh, similarity), stream, size=1)
    assert bits(table) == bits(fact_table(stream, Regime.parse(regime), refresh, similarity=similarity))


@settings(max_examples=60, deadline=None)
@given(logs(users=4), st.sampled_from(REGIMES), st.sampled_from(REFRESH), st.booleans())
def test_told_one_event_at_a_time_it_gives_the_fact_table_to_the_bit(
    log: str, regime: str, refresh: str, implicit: bool
):
    assert_told_as_the_table(log, regime, refresh, implicit, "none")


@settings(max_examples=8, deadline=None)
@given(logs(users=4), st.sampled_from(REGIMES), st.sampled_from(REFRESH), st.booleans(), st.sampled_from(SIMILARITIES))
def test_told_the_texts_of_items_too_it_gives_the_content_facts_of_the_table(
    log: str, regime: str, refresh: str, implicit: bool, similarity: str
):
    assert_told_as_the_table(log, regime, refresh, implicit, similarity)


@settings(max_examples=20, deadline=None)
@given(logs(users=4), st.sampled_from(REGIMES), st.sampled_from(REFRESH), st.integers(2, 9))
def test_batches_of_any_size_give_the_same_table(log: str, regime: str, refresh: str, size: int):
    stream = tiny_stream(log, THREE)
    table = replayed(new(stream, regime, refresh), stream, size)
    assert bits(table) == bits(fact_table(stream, Regime.parse(regime), refresh))


def assert_asked_as_told(log: str, regime: str, refresh: str, implicit: bool, similarity: str) -> None:
    stream = tiny_stream(log, THREE, label="implicit" if implicit else "rating > 3", genres=GENRES)
    state = new(stream, regime, refresh, similarity)
    for row in range(len(stream.time)):
        while state.period < stream.period[row]:
            state.close_period()
        user, item = stream.user_ids[int(stream.user[row])], stream.items["item_id"][int(stream.item[row])]
        asked = state.ask(user, [item], int(stream.time[row]))
        assert bits(asked) == bits(told(state, stream, row, row + 1))


@settings(max_examples=40, deadline=None)
@given(logs(users=4), st.sampled_from(REGIMES), st.sampled_from(REFRESH), st.booleans())
def test_asked_just_before_an_event_it_gives_the_facts_of_the_event(
    log: str, regime: str, refresh: str, implicit: bool
):
    assert_asked_as_told(log, regime, refresh, implicit, "none")


@settings(max_examples=8, deadline=None)
@given(logs(users=4), st.sampled_from(REGIMES), st.sampled_from(REFRESH), st.booleans(), st.sampled_from(SIMILARITIES))
def test_asked_just_before_an_event_it_gives_the_content_facts_of_the_event(
    log: str, regime: str, refresh: str, implicit: bool, similarity: str
):
    assert_asked_as_told(log, regime, refresh, implicit, similarity)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("refresh", REFRESH)
def test_a_row_that_arrives_late_counts_from_its_arrival_on_and_is_as_old_as_it_is(regime: str, refresh: str):
    day = 86_400_000
    log = tiny_log("ann:a+@0d bob:a-@1d ann:b+@1d cid:a+@3d ann:c-@4d bob:b+@5d bob:c+@6d cid:b-@6d")
    late = pl.Series([None, 4 * day, *[None] * 6], dtype=pl.Int64)  # bob's rating of a is heard of on day 4
    log = log.with_columns(known_at=pl.from_epoch(late, "ms").dt.replace_time_zone("UTC"))
    items = pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["a", "b", "c"]})
    stream = build_stream(log, items, "rating > 3", THREE)
    assert (np.diff(stream.known_at) >= 0).all() and (np.diff(stream.time) < 0).any()
    table = fact_table(stream, Regime.parse(regime), refresh)
    assert bits(replayed(new(stream, regime, refresh), stream, size=1)) == bits(table)
    if (regime, refresh) == ("fresh", "event"):
        cid, bob = table.row(2, named=True), table.row(5, named=True)
        assert (cid["item_count"], cid["item_age"]) == (1, 3)
        assert (bob["user_count"], bob["pause"]) == (1, 4 * 24)


def public_log(name: str, periods: Periods, rows: int | None = None) -> Stream:
    if not (SHARED / name).exists():
        pytest.skip(f"{name} is not at hand (set REGRAFT_DATA)")
    log = ingest(SHARED / name)
    interactions = log.interactions.sort("timestamp", maintain_order=True)
    return build_stream(interactions[:rows] if rows else interactions, log.items, "rating > 3", periods)


def test_a_part_of_a_public_log_told_in_batches_gives_its_fact_table():
    stream = public_log("ml-100k.zip", Periods(by="count", n=5, warm_up=0.2), rows=20_000)
    state = new(stream)
    assert bits(replayed(state, stream, size=1_700)) == bits(fact_table(stream, Regime()))
    assert contents(state) != contents(FactState.of(stream, Regime()))  # other batches, other places in memory


@pytest.mark.slow
def test_the_whole_public_log_told_in_batches_gives_its_fact_table():
    stream = public_log("ml-1m.zip", Periods(by="count", n=20, warm_up=0.1))
    assert bits(replayed(new(stream), stream, size=30_011)) == bits(fact_table(stream, Regime()))


def test_the_state_of_a_stream_answers_as_one_told_event_by_event():
    stream = tiny_stream(DAILY, THREE)
    state, by_event = FactState.of(stream, Regime()), new(stream)
    replayed(by_event, stream, size=1)
    assert (state.rows, state.period) == (by_event.rows, by_event.period)
    at = 6 * 86_400_000
    assert bits(state.ask("ann", ["heat", "up", "it"], at)) == bits(by_event.ask("ann", ["heat", "up", "it"], at))


# -- questions ---------------------------------------------------------------------------------------


def test_an_item_that_nobody_saw_is_known_by_its_text():
    state = FactState.of(tiny_stream(DAILY, genres={"heat": "crime", "up": "family"}), Regime(), similarity="columns")
    state.close_period()
    state.know(pl.DataFrame({"item_id": ["ronin", "babe"], "title": ["Ronin", "Babe"], "genres": ["crime", "family"]}))
    table = state.ask("ann", ["ronin", "babe", "nothing"], 5 * 86_400_000)
    assert table["alike_best"].to_list() == [pytest.approx(1, abs=1e-3), 0, 0]
    assert table["alike_vote"][0] > 0 > table["alike_vote"][1] and table["alike_vote"][2] == 0
    assert table["alike_rate"][0] > table["alike_rate"][2] > table["alike_rate"][1]


def test_a_state_with_texts_is_saved_and_loaded_to_the_bit(tmp_path: Path):
    stream = tiny_stream(DAILY, THREE, genres={"heat": "crime", "up": "family", "it": "crime"})
    state = FactState.of(stream, Regime(), similarity="tfidf")
    state.save(tmp_path / "facts.npz")
    loaded = FactState.load(tmp_path / "facts.npz")
    assert contents(loaded) == contents(state)
    for found in (state, loaded):
        found.take(["bob"], ["it"], [6 * 86_400_000], [1])
        found.close_period()
    at = 7 * 86_400_000
    assert bits(loaded.ask("ann", ["heat", "it"], at)) == bits(state.ask("ann", ["heat", "it"], at))


def test_a_stranger_and_an_unknown_item_have_the_facts_of_the_average():
    state = FactState.of(tiny_stream(DAILY), Regime())
    row = state.ask("nobody", ["nothing"], 5 * 86_400_000).row(0, named=True)
    average = (3 + 1) / (5 + 2)
    assert row == {
        "item_rate": pytest.approx(average), "item_count": 0, "item_age": 0, "user_rate": pytest.approx(average),
        "user_lean": 0, "user_count": 0, "recent": pytest.approx(average), "kin": 0, "last_three": 0.5, "pause": NEVER,
    }  # fmt: skip


def test_an_empty_state_can_be_asked():
    table = FactState(Regime()).ask("ann", ["heat", "up"], 0)
    assert (table.shape, table.columns) == ((2, len(COLUMNS)), list(COLUMNS))
    assert table["item_rate"].to_list() == [0.5, 0.5]


def test_no_candidates_get_no_rows():
    assert FactState.of(tiny_stream(DAILY), Regime()).ask("ann", [], 0).shape == (0, len(COLUMNS))


def test_candidates_are_answered_in_their_order_and_as_if_asked_alone():
    state, at = FactState.of(tiny_stream(DAILY, THREE), Regime()), 9 * 86_400_000
    together = state.ask("ann", ["up", "new", "heat", "up"], at)
    alone = pl.concat([state.ask("ann", [item], at) for item in ("up", "new", "heat", "up")])
    assert bits(together) == bits(alone)


def test_a_question_changes_no_later_answer():
    stream = tiny_stream(DAILY, THREE)
    asked, quiet = new(stream), new(stream)
    for first, end in batches(stream, 1):
        told(quiet, stream, first, end)
        told(asked, stream, first, end)
        asked.ask("ann", ["heat", "new"], int(stream.time[first]) + 1)
    assert contents(asked) == contents(quiet)


def test_events_of_the_instant_of_the_question_are_hidden():
    state = FactState(Regime())
    state.take(["ann", "ann"], ["a", "b"], [1_000, 2_000], [1, 1])
    assert state.ask("ann", ["a"], 2_000)["user_count"].item() == 1
    assert state.ask("ann", ["a"], 2_001)["user_count"].item() == 2


def test_late_feedback_counts_once_its_delay_is_over():
    state, hour = FactState(Regime.parse("delayed 6h")), 3_600_000
    state.take(["ann"], ["a"], [0], [1])
    assert [state.ask("bob", ["a"], at * hour)["item_count"].item() for at in (1, 5, 6, 9)] == [0, 0, 1, 1]


def test_a_frozen_state_learns_at_the_close_of_a_period_alone():
    state = FactState(Regime("frozen"))
    state.close_period()
    state.take(["ann"], ["a"], [0], [1])
    assert state.ask("ann", ["a"], 9_000)["item_count"].item() == 0
    state.close_period()
    assert state.ask("ann", ["a"], 9_000)["item_count"].item() == 1


def test_neighbour_sums_as_of_the_cut_do_not_see_what_was_heard_of_after_it():
    hour, people = 3_600_000, [f"p{n}" for n in range(40) for _ in range(2)]
    kin = []
    for at in (8 * hour, None):
        state = FactState(Regime.parse("delayed 6h"))
        state.close_period()
        state.take(["ann"], ["a"], [0], [1])
        state.take(people, ["a", "b"] * 40, [4 * hour] * 80, [0, 0, 1, 1] * 20)
        state.close_period(at)
        kin.append(state.ask("ann", ["b"], 20 * hour)["kin"].item())
    assert kin[0] == 0
    assert abs(kin[1]) > 0.05


# -- events ------------------------------------------------------------------------------------------


def test_events_that_did_not_happen_get_facts_and_are_remembered_by_nobody():
    state = FactState(Regime())
    state.take(["ann", "ann"], ["a", "b"], [0, 0], [1, 0], happened=[True, False])
    after = state.ask("ann", ["a", "b"], 1)
    assert after["item_count"].to_list() == [1, 0]
    assert after["user_count"].to_list() == [1, 1]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ((["ann"], ["a", "b"], [0], [1]), "events: columns of 1, 2, 1, 1, 1, 1 rows\nExpected one length"),
        ((["ann"], ["a"], [9_000], [2]), "events: label 2\nExpected 1 (liked) or 0"),
        (
            (["new", "ann"], ["new", "a"], [3_000, 2_000], [1, 1]),
            "events: are not in time order\nExpected times that ascend and follow the last event taken",
        ),
        (
            (["ann"], ["a"], [999], [1]),
            "events: are not in time order\nExpected times that ascend and follow the last event taken",
        ),
    ],
)
def test_events_that_cannot_be_taken_are_refused_and_change_no_answer(events: tuple, message: str):
    state = FactState(Regime())
    state.take(["ann"], ["a"], [1_000], [1])
    before = contents(state)
    with pytest.raises(DataError) as caught:
        state.take(*events)
    assert str(caught.value) == message
    assert state.rows == 1
    assert {n: a for n, a in contents(state).items() if "." not in n} == {
        n: a for n, a in before.items() if "." not in n
    }
    assert state.ask("new", ["new"], 5_000)["item_count"].item() == 0


def test_no_events_are_taken_without_complaint():
    assert FactState(Regime()).take([], [], [], []).shape == (0, len(COLUMNS))


def test_an_unknown_refresh_is_refused():
    with pytest.raises(ConfigError, match=r"facts\.refresh 'hourly': is unknown"):
        FactState(Regime(), "hourly")


def test_threads_that_ask_while_events_are_told_get_facts_of_some_moment():
    stream = tiny_stream(" ".join(f"u{n % 5}:i{n % 7}{'+-'[n % 2]}@{n}h" for n in range(200)), THREE)
    state, seen = new(stream), []

    def ask() -> None:
        for _ in range(40):
            seen.append(state.ask("u1", ["i1", "i2"], 10**12)["user_count"].to_list())

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    replayed(state, stream, size=1)
    for thread in threads:
        thread.join()
    assert len(seen) == 160
    assert all(a == b and a in range(41) for a, b in seen)


# -- kept in a file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dense", [0, 5_000])
@pytest.mark.parametrize("regime", REGIMES)
def test_a_state_saved_and_loaded_half_way_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, regime: str, dense: int
):
    monkeypatch.setattr("regraft.data.pair_sums.DENSE_ITEMS", dense)
    rng = np.random.default_rng(2)
    rows = (f"u{rng.integers(6)}:i{rng.integers(9)}{rng.choice(['+', '-'])}@{n // 2}h" for n in range(120))
    stream = tiny_stream(" ".join(rows), THREE)
    state, parts = new(stream, regime), batches(stream, 7)
    for first, end in parts[:9]:
        told(state, stream, first, end)
    state.save(tmp_path / "facts.npz")
    loaded = FactState.load(tmp_path / "facts.npz")
    assert contents(loaded) == contents(state)
    for first, end in parts[9:]:
        assert bits(told(loaded, stream, first, end)) == bits(told(state, stream, first, end))
    assert contents(loaded) == contents(state)
    assert bits(loaded.ask("u1", ["i1", "new"], 10**12)) == bits(state.ask("u1", ["i1", "new"], 10**12))


def test_settings_and_names_are_kept_with_it(tmp_path: Path):
    state = FactState(Regime.parse("delayed 30d"), "period", implicit=True)
    state.take(["名前"], ["7"], [5], [1])
    state.save(tmp_path / "deep" / "facts.npz")
    loaded = FactState.load(tmp_path / "deep" / "facts.npz")
    assert loaded._sums.clock.regime == Regime.parse("delayed 30d")
    assert (loaded._sums.clock.refresh, loaded._sums.implicit, loaded.rows) == ("period", True, 1)
    assert loaded.ask("名前", ["7"], 10**12)["user_count"].item() == 1
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["facts.npz"]


@pytest.mark.parametrize("content", [None, b"", b"no state", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, content: bytes | None):
    path = tmp_path / "facts.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"fact state .* cannot be read") as caught:
        FactState.load(path)
    assert caught.value.next_step == "Make it anew from the log with FactState.of"


def test_arrays_of_another_kind_are_refused(tmp_path: Path):
    np.savez(tmp_path / "facts.npz", one=np.zeros(3))
    with pytest.raises(DataError, match=r"fact state .* cannot be read"):
        FactState.load(tmp_path / "facts.npz")
