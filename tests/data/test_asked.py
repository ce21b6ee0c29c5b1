"""Pairs that are no rows: they are asked about where they stand, and change nothing for anybody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from regraft.baselines.features import FEATURES, features, of_table
from regraft.baselines.popularity import Popularity
from regraft.baselines.stack import Stack
from regraft.data.asked import Asked
from regraft.data.neighbours import similarities, votes, votes_on_all
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.alike import CONTENT
from regraft.prompts.fact_sums import FactSums
from regraft.prompts.facts import COLUMNS, fact_table
from regraft.prompts.replay import replay
from worlds import logs, tiny_stream

THREE = Periods(by="time", n=3, warm_up=0.2)
REGIMES = ("fresh", "delayed 2h", "frozen", "paper")


def questions(stream: Stream, period: int, every: int = 1) -> Asked:
    """All items known before the end of a period, asked at its rows."""
    log = stream.cases(period)
    rows = np.flatnonzero((log.period == period) & log.happened)[::every]
    n = len(log.items)
    return Asked(log, np.repeat(rows, n), np.tile(np.arange(n, dtype=np.int32), len(rows)))


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("refresh", ["event", "day", "period"])
@settings(max_examples=5, deadline=None)
@given(text=logs(most=30))
def test_their_facts_are_those_of_rows_that_stood_there_and_others_keep_theirs(
    regime: str, refresh: str, text: str
) -> None:
    asked = questions(tiny_stream(text, THREE, label="implicit"), 3)
    known = Regime.parse(regime)
    stream = asked.stream()
    columns = replay(FactSums(known, refresh, True), stream)
    table = fact_table(stream, known, refresh)
    for name in COLUMNS:
        np.testing.assert_array_equal(table[name].to_numpy(), columns[name], err_msg=name)
    theirs = np.setdiff1d(np.arange(len(stream.time)), asked.places)
    assert table[theirs].equals(fact_table(asked.log, known, refresh)[: len(asked.log.time)])


@settings(max_examples=5, deadline=None)
@given(text=logs(most=30))
def test_their_content_facts_are_those_of_rows_that_stood_there(text: str) -> None:
    asked = questions(tiny_stream(text, THREE, label="implicit"), 3)
    stream, known = asked.stream(), Regime()
    columns = replay(FactSums(known, "event", True, "tfidf"), stream)
    table = fact_table(stream, known, similarity="tfidf")
    for name in CONTENT:
        np.testing.assert_array_equal(table[name].to_numpy(), columns[name], err_msg=name)


@pytest.mark.parametrize("once", [False, True])
def test_features_of_pairs_are_those_of_their_table_and_nothing_is_kept_of_what_is_asked_once(once: bool) -> None:
    rows = " ".join(f"u{n % 7}:i{(n * n) % 11}+@{n}h" for n in range(150))
    asked = questions(tiny_stream(rows, THREE, label="implicit"), 3, every=4)
    asked = replace(asked, once=once)
    names, stream = (*FEATURES, *CONTENT), asked.stream()
    found = features(stream, Regime(), names, "tfidf")
    assert any(key[0] == "sums" for key in asked.log.shared) is not once
    table = fact_table(stream, Regime(), similarity="tfidf")[stream.targets]
    assert found.tobytes() == of_table(table, names).tobytes()


def test_a_pair_like_a_row_gets_the_score_of_the_row() -> None:
    rows = " ".join(f"u{n % 7}:i{(n * n) % 11}+@{n}h" for n in range(150))
    stream = tiny_stream(rows, THREE, label="implicit", negatives=2)
    log, past = stream.cases(3), stream.until(3)
    asked = Asked(log, log.targets, log.item[log.targets])
    for model in (Stack(Regime()), Popularity(Regime())):
        model.renew(past)
        np.testing.assert_allclose(model.score(asked.stream()), model.score(log), rtol=0, atol=1e-12)


def test_they_stand_at_the_instant_of_their_row_and_did_not_happen() -> None:
    asked = questions(tiny_stream("a:x+@1h b:y+@20h a:y+@40h b:x+@60h", THREE, label="implicit"), 3)
    stream = asked.stream()
    assert not stream.happened[stream.targets].any() and not stream.labels.any()
    assert (np.diff(stream.known_at) >= 0).all() and (np.diff(stream.period) >= 0).all()
    assert len(np.unique(stream.row_id)) == len(stream.row_id)
    assert stream.happened.sum() == asked.log.happened.sum()


@settings(max_examples=10, deadline=None)
@given(text=logs(most=40))
def test_votes_on_all_items_are_those_on_each(text: str) -> None:
    stream = tiny_stream(text, THREE)
    sums = FactSums(Regime())
    replay(sums, stream)
    sums.close_period(int(stream.known_at[-1]) + 1)
    lines, n = sums.users, int(stream.item.max()) + 1
    users = np.arange(int(stream.user.max()) + 1)
    start, count = lines.start[users], lines.size[users]
    whole = votes_on_all(similarities(sums.sums, n), start, count, lines["item"], lines["residual"])
    each = votes(
        sums.sums.similarity(0), np.tile(np.arange(n), len(users)), np.repeat(start, n), np.repeat(count, n),
        lines["item"], lines["residual"],
    )  # fmt: skip
    np.testing.assert_allclose(whole.ravel(), each, atol=1e-6)
