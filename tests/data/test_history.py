"""Histories and requests: what is held, what was known at an instant, and what is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.build import build_stream
from regraft.data.history import History, Request, requests_of
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.errors import ConfigError, DataError
from worlds import logs, tiny_stream

REGIMES = tuple(Regime(name) for name in ("fresh", "delayed", "frozen", "paper"))
THREE = Periods(by="time", n=3, warm_up=0.2)
ANN = tiny_stream("ann:heat+@1 bob:up-@2 ann:up-@3 ann:alien+@3 ann:heat-@9")


def ids(frame: pl.DataFrame) -> list[str]:
    return frame["item_id"].to_list()


def candidates(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"item_id": names, "title": [n.title() for n in names]})


# -- what a history holds ------------------------------------------------------------------------------


def test_a_history_holds_the_events_of_one_user_in_order():
    history = History.of(ANN, 0)
    assert (history.user, history.known) == ("ann", 4)
    assert ids(history.items) == ["heat", "up", "alien", "heat"]
    assert history.label.tolist() == [1, 0, 1, 0]
    assert history.time.tolist() == [1000, 3000, 3000, 9000]


def test_facts_are_those_of_the_users_own_rows():
    table = pl.DataFrame({"item_count": [0.0, 1.0, 2.0, 3.0, 4.0]})
    history = History.of(ANN, 0, table, known=3)
    assert history.facts is not None
    assert history.facts["item_count"].to_list() == [0.0, 2.0, 3.0]


def test_the_newest_events_alone_know_how_many_came_before():
    history = History.of(ANN, 0)
    newest = history.last(2)
    assert (newest.before, len(newest), newest.known) == (2, 2, 4)
    assert ids(newest.items) == ["alien", "heat"]
    made = History.of(ANN, 0, last=2)
    assert (made.before, ids(made.items), made.label.tolist()) == (2, ids(newest.items), newest.label.tolist())
    assert history.last(9).before == 0
    assert newest.last(1).before == 3


def test_a_stranger_has_an_empty_history():
    nobody = History("zoe")
    assert (len(nobody), nobody.known, len(nobody.last(5))) == (0, 0, 0)


# -- what was known ------------------------------------------------------------------------------------


def known_at(time: float, regime: str, period_start: int | None = None) -> int:
    return History.of(ANN, 0).as_of(int(time * 1000), Regime.parse(regime), period_start).known


def test_fresh_hides_events_of_the_same_instant():
    assert [known_at(t, "fresh") for t in (1, 3, 3.001, 10)] == [0, 1, 3, 4]


def test_delayed_hides_what_is_younger_than_the_delay():
    assert [known_at(t, "delayed 2s") for t in (2, 3, 5, 10, 11)] == [0, 1, 3, 3, 4]
    assert known_at(3, "delayed 0s") == 1


def test_frozen_knows_what_lies_before_the_period():
    assert known_at(10, "frozen", period_start=3000) == 1
    assert known_at(10, "frozen", period_start=3001) == 3
    with pytest.raises(ConfigError, match="without the start of the period"):
        known_at(10, "frozen")


def test_paper_knows_the_events_of_the_same_instant():
    assert [known_at(t, "paper") for t in (1, 3, 9)] == [1, 3, 4]


@settings(max_examples=40, deadline=None)
@given(logs(), st.sampled_from(REGIMES[:3]))
def test_a_history_as_of_an_example_is_what_the_stream_says_it_knew(log: str, regime: Regime):
    view = tiny_stream(log, THREE)
    known = view.order.known(view.users, regime.known(view, view.targets))
    for example, row in enumerate(view.targets):
        start = view.cuts[view.period[row] - 1]
        history = History.of(view, int(view.user[row])).as_of(int(view.time[row]), regime, start)
        assert history.known == known[example]


# -- requests of a stream ------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(logs(), st.sampled_from(REGIMES), st.integers(1, 5))
def test_requests_hold_every_example_once_with_what_it_knew(log: str, regime: Regime, last: int):
    view = tiny_stream(log, THREE)
    table = pl.DataFrame({"row": np.arange(len(view.time)).astype(float)})
    known = view.order.known(view.users, regime.known(view, view.targets))
    asked = []
    for examples, request in requests_of(view, regime, table, last):
        asked += examples.tolist()
        rows = view.targets[examples]
        assert request.facts is not None and request.history.facts is not None
        assert request.facts["row"].to_list() == rows.tolist()
        assert (view.time[rows] == request.time).all()
        assert (known[examples] == request.history.known).all()
        assert len(request.history) == min(last, request.history.known)
        assert all(row < rows.min() or regime.name == "paper" for row in request.history.facts["row"])
    assert sorted(asked) == list(range(len(view)))


def test_a_view_without_examples_makes_no_request():
    assert list(requests_of(ANN.only(slice(0, 0)), REGIMES[0])) == []


def test_a_history_costs_its_own_events_whatever_the_log_holds():
    n = 60_000
    users = [f"u{k % 2_000}" for k in range(n)]
    log = pl.DataFrame(
        {
            "user_id": users, "item_id": ["heat", "up", "alien"] * (n // 3), "timestamp": np.arange(n),
            "event": "rating", "value": np.arange(n) % 2 * 4.0 + 1, "line": np.arange(n),
        }
    ).with_columns(pl.from_epoch("timestamp", "ms").dt.replace_time_zone("UTC"))  # fmt: skip
    long = build_stream(log, ANN.items, "rating > 3", THREE)
    assert len(long.order.rows) == n  # worked out once per log
    tracemalloc.start()
    history = History.of(long, 77, last=20).as_of(n, REGIMES[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (history.known, len(history), history.user) == (30, 20, "u77")
    assert peak < n  # bytes: there is no array over the log


# -- events --------------------------------------------------------------------------------------------


def test_events_are_the_history_and_then_the_candidates():
    events = Request(History.of(ANN, 0, known=2), candidates("big", "night"), 5000).events()
    assert ids(events.items) == ["heat", "up", "big", "night"]
    assert events.label.tolist() == [1, 0, 0, 0]
    assert events.facts is None


def test_texts_are_cleaned_as_in_a_stream_and_an_unknown_item_is_called_by_its_id():
    asked = pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["He\u200bat\n", "\u200b", None]})
    texts = Request(History.of(ANN, 0, known=1), asked, 5000).events().items
    assert texts["title"].to_list() == ["heat", "He at", "item b", "item c"]
    assert texts["genres"].to_list() == [""] * 4
    untitled = Request(History("zoe"), asked.select("item_id"), 5000).events().items
    assert untitled["title"].to_list() == ["item a", "item b", "item c"]


def test_facts_of_events_and_candidates_are_joined():
    table = pl.DataFrame({"kin": [0.1, 0.2], "other": [1, 2]})
    history = History.of(ANN, 0, pl.DataFrame({"kin": [0.0, 0.1, 0.2, 0.3, 0.4]}), known=2)
    events = Request(history, candidates("big", "night"), 5000, table).events(["kin"])
    assert events.facts is not None
    assert events.facts.to_dict(as_series=False) == {"kin": [0.0, 0.2, 0.1, 0.2]}
    stranger = Request(History("zoe"), candidates("big", "night"), 5000, table).events(["kin"])
    assert stranger.facts is not None
    assert stranger.facts["kin"].to_list() == [0.1, 0.2]


# -- refused -------------------------------------------------------------------------------------------


def test_facts_that_a_template_shows_must_be_there():
    request = Request(History.of(ANN, 0), candidates("big"), 9000, pl.DataFrame({"kin": [0.1]}))
    with pytest.raises(DataError) as error:
        request.events(["kin"])
    assert str(error.value) == (
        "request for user 'ann': the facts of its history lack kin\n"
        "Expected every fact that the template shows, as of each event and candidate"
    )
    with pytest.raises(DataError, match="the facts of its candidates lack item_rate"):
        Request(History("zoe"), candidates("big"), 9000, pl.DataFrame({"kin": [0.1]})).events(["kin", "item_rate"])


def test_an_event_after_the_request_is_refused():
    with pytest.raises(DataError) as error:
        Request(History.of(ANN, 0), candidates("big"), 8999)
    assert str(error.value).splitlines() == [
        "request for user 'ann': its history has an event at 9000, after the request at 8999",
        "Expected events that were known at the time of the request",
        "Cut the history with: history.as_of(time, regime)",
    ]


def test_columns_that_do_not_fit_together_are_refused():
    with pytest.raises(DataError, match="holds 1 items, 2 label, 1 time"):
        History("ann", candidates("up"), np.array([1, 0]), np.array([5]))
    with pytest.raises(DataError, match="an event before an older one"):
        History("ann", candidates("up", "heat"), np.array([1, 0]), np.array([5, 4]))
    with pytest.raises(DataError, match="the items of its candidates have no column item_id"):
        Request(History("zoe"), pl.DataFrame({"title": ["up"]}), 5)
    with pytest.raises(DataError, match="has 1 candidates and 2 rows of facts"):
        Request(History("zoe"), candidates("up"), 5, pl.DataFrame({"kin": [0.1, 0.2]}))
