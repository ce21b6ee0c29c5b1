"""Live facts: what each number is, what it may know under every regime, and how it is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.neighbours import FLOOR
from regraft.data.pair_sums import SHRINK
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ConfigError
from regraft.prompts import fact_sums, replay
from regraft.prompts.alike import CONTENT
from regraft.prompts.fact_sums import PRIOR_IMPLICIT, PRIOR_ITEM, PRIOR_USER, RECENT
from regraft.prompts.facts import COLUMNS, FACTS, fact_table, rendered, wanted
from regraft.prompts.known_rows import REFRESH
from worlds import logs, tiny_stream

FRESH = Regime()
REGIMES = [Regime("fresh"), Regime("delayed"), Regime.parse("delayed 6h"), Regime("frozen"), Regime("paper")]
THREE = Periods(by="time", n=3, warm_up=0.2)
DAILY = "ann:heat+@0d ann:up-@1d bob:heat+@2d bob:up-@3d ann:it+@4d"


def table_of(stream: Stream, regime: Regime, refresh: str = "event") -> pl.DataFrame:
    """The facts computed from this stream alone: nothing kept from a longer one is used."""
    stream.shared.clear()
    return fact_table(stream, regime, refresh)


def column(
    text: str, fact: str, regime: Regime = FRESH, refresh: str = "event", periods: Periods = THREE
) -> list[float]:
    return table_of(tiny_stream(text, periods), regime, refresh)[fact].to_list()


def differing(a: pl.DataFrame, b: pl.DataFrame) -> list[str]:
    return [name for name in COLUMNS if a[name].to_numpy().tobytes() != b[name].to_numpy().tobytes()]


@pytest.mark.parametrize("regime", REGIMES, ids=str)
@pytest.mark.parametrize("similarity", ["none", "tfidf"])
def test_how_many_rows_are_told_at_once_changes_no_bit(
    regime: Regime, similarity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(f"u{n % 7}:i{n * n % 11}{'+-'[n % 3 == 0]}@{n}h" for n in range(150))
    whole = fact_table(tiny_stream(text, THREE), regime, similarity=similarity)
    for module in (fact_sums, replay):
        monkeypatch.setattr(module, "SLICE", 7)
    in_slices = fact_table(tiny_stream(text, THREE), regime, similarity=similarity)
    assert whole.to_numpy().tobytes() == in_slices.to_numpy().tobytes()


# -- by hand -----------------------------------------------------------------------------------------


def test_every_fact_has_a_column_and_a_meaning():
    table = fact_table(tiny_stream(DAILY), FRESH, similarity="columns")
    assert sorted(table.columns) == sorted([*FACTS, "last_three", "pause"])
    assert set(table.dtypes) == {pl.Float64}
    assert all(name == fact.name and fact.meaning for name, fact in FACTS.items())


@pytest.mark.parametrize(
    ("fact", "expected"),
    {
        # Likes so far: 0, 1, 1, 2, 2 of 0 ... 4 ratings; the average is (likes + 1) / (ratings + 2).
        "item_rate": [1 / 2, 2 / 3, (1 + 10 / 2) / 11, (0 + 10 * 3 / 5) / 11, 1 / 2],
        "item_count": [0, 0, 1, 1, 0],
        "item_age": [0, 0, 2, 2, 0],
        "user_rate": [1 / 2, (1 + 5 * 2 / 3) / 6, 1 / 2, (1 + 5 * 3 / 5) / 6, (1 + 5 / 2) / 7],
        "user_count": [0, 1, 0, 1, 2],
        # ann: 1 - 1/2, then 0 - 2/3; bob: 1 - 6/11.
        "user_lean": [0, (1 / 2) / 6, 0, (5 / 11) / 6, (1 / 2 - 2 / 3) / 7],
        "recent": [1 / 2, (1 + 2 / 3) / 2, 1 / 2, (1 + 3 / 5) / 2, (1 + 1 / 2) / 3],
    }.items(),
)
def test_facts_are_those_computed_by_hand(fact: str, expected: list[float]):
    assert column(DAILY, fact) == pytest.approx(expected, abs=1e-6)


def test_recent_looks_at_the_last_ten_ratings_only():
    text = " ".join(f"ann:i{n}-@{n}" for n in range(10)) + " " + " ".join(f"ann:i{n}+@{n}" for n in range(10, 21))
    recent, rate = column(text, "recent"), column(text, "user_rate")
    average = (10 + 1) / (20 + 2)
    assert recent[20] == pytest.approx((10 + average) / 11, abs=1e-6)
    assert rate[20] == pytest.approx((10 + 5 * average) / 25, abs=1e-6)


def test_kin_is_high_for_an_item_liked_by_the_people_who_like_what_the_user_likes():
    people = " ".join(
        f"p{n}:a{s}@{n} p{n}:b{s}@{n}.1 p{n}:c{o}@{n}.2" for n in range(40) for s, o in [("+-" if n % 2 else "-+")]
    )
    text = f"{people} ann:a+@1000 ann:b+@1001 ann:c-@1002 bob:a-@1003 bob:b-@1004"
    kin = column(text, "kin", periods=Periods(by="time", n=2))[-5:]
    assert kin[0] == kin[3] == 0  # nothing is known of either person yet
    assert kin[1] > 0.1  # ann liked a, so b
    assert kin[4] < -0.1  # bob did not like a, so not b
    assert kin[2] == 0  # c is judged the other way round: disagreement is no evidence


def test_kin_knows_no_similarity_before_the_first_period_has_closed():
    assert column(DAILY, "kin", periods=Periods(by="calendar", every="1y")) == [0] * 5


# -- regimes -----------------------------------------------------------------------------------------

BUSY = "ann:heat+@0h bob:heat-@0h ann:up+@0h cid:heat+@1h ann:heat-@30h"


@pytest.mark.parametrize(
    ("regime", "item_count", "user_count"),
    [
        ("fresh", [0, 0, 0, 2, 3], [0, 0, 0, 0, 2]),
        ("paper", [0, 1, 0, 2, 3], [0, 0, 1, 0, 2]),
        ("delayed 30h", [0, 0, 0, 0, 2], [0, 0, 0, 0, 2]),
        ("delayed 29h", [0, 0, 0, 0, 3], [0, 0, 0, 0, 2]),
        ("frozen", [0, 0, 0, 0, 3], [0, 0, 0, 0, 2]),
    ],
)
def test_a_regime_says_which_ratings_count(regime: str, item_count: list[int], user_count: list[int]):
    halves = Periods(by="time", n=2)
    assert column(BUSY, "item_count", Regime.parse(regime), periods=halves) == item_count
    assert column(BUSY, "user_count", Regime.parse(regime), periods=halves) == user_count


@pytest.mark.parametrize(
    ("refresh", "item_count"), [("event", [0, 1, 2, 3, 4]), ("day", [0, 0, 2, 2, 4]), ("period", [0, 0, 0, 0, 4])]
)
def test_numbers_about_items_are_as_old_as_refresh_allows(refresh: str, item_count: list[int]):
    text = "ann:heat+@1h ann:heat-@2h ann:heat+@25h ann:heat+@26h ann:heat+@60h"
    periods = Periods(by="time", n=2)
    assert tiny_stream(text, periods).period.tolist() == [1, 1, 1, 1, 2]
    assert column(text, "item_count", FRESH, refresh, periods) == item_count
    assert column(text, "user_count", FRESH, refresh, periods) == [0, 1, 2, 3, 4]


def test_warm_up_rows_have_no_period_that_begins_and_are_refreshed_by_day():
    text = "ann:heat+@1h ann:heat-@25h ann:heat+@26h ann:heat+@100h ann:heat+@102h"
    periods = Periods(by="time", n=2, warm_up=0.6)
    assert tiny_stream(text, periods).period.tolist() == [0, 0, 0, 1, 2]
    assert column(text, "item_count", FRESH, "period", periods) == [0, 1, 1, 3, 4]
    assert column(text, "item_count", FRESH, "day", periods)[:3] == [0, 1, 1]


@settings(max_examples=60, deadline=None)
@given(logs(items=4), st.sampled_from(["fresh", "delayed 6h", "frozen"]), st.sampled_from(REFRESH), st.data())
def test_no_row_sees_anything_from_its_own_time_or_later(log: str, regime: str, refresh: str, data):
    """Every row at or after the row's time gets another rating and, but for the row itself, another item."""
    stream, words = tiny_stream(log, THREE), log.split()
    row = data.draw(st.integers(0, len(words) - 1))
    others = []
    for n, word in enumerate(words):
        if stream.time[n] >= stream.time[row]:
            user, _, rest = word.partition(":")
            item = rest.rstrip("+-").partition("@")[0].rstrip("+-") if n == row else f"new{n}"
            word = f"{user}:{item}{'-' if '+' in word else '+'}@{word.partition('@')[2]}"
        others.append(word)
    if len({"+" in w for w in others}) == 2:  # the label rule needs both ratings
        other = tiny_stream(" ".join(others), THREE)
        known = Regime.parse(regime)
        assert not differing(table_of(stream, known, refresh)[row], table_of(other, known, refresh)[row])


def test_an_unknown_refresh_is_refused():
    with pytest.raises(ConfigError) as caught:
        fact_table(tiny_stream(DAILY), FRESH, "hourly")
    assert str(caught.value) == "facts.refresh 'hourly': is unknown\nExpected one of event, day, period"


def test_sampled_negatives_get_facts_but_count_as_nobodys_rating():
    stream = tiny_stream("ann:a+@0 bob:b+@1 ann:b+@2 bob:a+@3 cid:c+@4 ann:c+@5", label="implicit")
    table = table_of(stream, FRESH)
    assert len(table) == len(stream.time) > 6
    seen = [
        int((stream.happened & (stream.item == i) & (stream.time < t)).sum())
        for i, t in zip(stream.item, stream.time, strict=True)
    ]
    assert table["item_count"].to_list() == seen


def test_without_dislikes_an_items_rate_is_its_popularity_beside_the_average_item():
    stream = tiny_stream("ann:a+@0 bob:a+@1 cid:a+@2 ann:b+@3 bob:b+@4", label="implicit")
    rate = table_of(stream, FRESH)["item_rate"].to_numpy()[stream.happened]
    # Before the third choice of a, a is all there is; before the second of b: 4 choices, 2 items.
    assert rate[[0, 2, 4]] == pytest.approx([1 / 2, 2.5 / 5, 1.5 / 4])


def test_without_dislikes_kin_tells_what_goes_with_the_users_items_from_what_does_not():
    people = " ".join(f"p{n}:{a}+@{n} p{n}:{b}+@{n}.1" for n in range(40) for a, b in [("ab" if n % 2 else "cd")])
    stream = tiny_stream(
        f"{people} ann:a+@1000 ann:b+@1001 bob:c+@1002 bob:b+@1003", Periods(by="time", n=2), label="implicit"
    )
    kin = table_of(stream, FRESH)["kin"].to_numpy()[stream.happened][-4:]
    assert kin[0] == kin[2] == 0
    assert kin[1] > 0.1 > abs(kin[3])


def test_content_facts_are_worked_out_when_they_are_asked_for_and_leave_the_others_as_they_are():
    stream = tiny_stream(DAILY)
    plain = fact_table(stream, FRESH)
    assert tuple(plain.columns) == COLUMNS and not any("columns" in key for key in stream.shared)
    both = fact_table(stream, FRESH, similarity="columns")
    assert both.select(COLUMNS).equals(plain) and both.columns[len(COLUMNS) :] == list(CONTENT)


def test_a_content_fact_needs_a_similarity():
    assert wanted(["kin"], "tfidf") == "none" and wanted(["kin", "alike_vote"], "tfidf") == "tfidf"
    with pytest.raises(ConfigError, match="facts alike_vote: are wanted without a similarity of items"):
        wanted(["kin", "alike_vote"], "none")


# -- an independent reckoning ------------------------------------------------------------------------


def by_loops(stream: Stream, regime: Regime) -> dict[str, list[float]]:
    """All facts but item_age, row by row, as their definitions read."""
    out: dict[str, list[float]] = {name: [] for name in COLUMNS[:-2] if name != "item_age"}
    residual: list[float] = []
    for r, known in enumerate(regime.known(stream).tolist()):
        past = [k for k in range(known) if stream.happened[k]]
        average = (stream.label[past].sum() + 1) / (len(past) + 2)
        about = [k for k in past if stream.item[k] == stream.item[r]]
        mine = [k for k in past if stream.user[k] == stream.user[r]]
        rate = (stream.label[about].sum() + PRIOR_ITEM * average) / (len(about) + PRIOR_ITEM)
        if stream.implicit:
            usual = len(past) / max(len({stream.item[k] for k in past}), 1)
            rate = (len(about) + PRIOR_IMPLICIT) / (len(about) + usual + 2 * PRIOR_IMPLICIT)
        residual.append(stream.label[r] - rate)
        out["item_rate"].append(rate)
        out["item_count"].append(len(about))
        out["user_rate"].append((stream.label[mine].sum() + PRIOR_USER * average) / (len(mine) + PRIOR_USER))
        out["user_lean"].append(sum(residual[k] for k in mine) / (len(mine) + PRIOR_USER))
        out["user_count"].append(len(mine))
        last = mine[-RECENT:]
        out["recent"].append((stream.label[last].sum() + average) / (len(last) + 1))
        alike = similar_items(
            stream, residual, int(regime.known(stream)[np.searchsorted(stream.period, stream.period[r])])
        )
        weight = [alike[stream.item[k], stream.item[r]] for k in mine]
        out["kin"].append(sum(w * residual[k] for w, k in zip(weight, mine, strict=True)) / (sum(weight) + FLOOR))
    return out


def similar_items(stream: Stream, residual: list[float], end: int) -> np.ndarray:
    cells = np.zeros((2, len(stream.user_ids), len(stream.items)))
    for k in range(end):
        if stream.happened[k]:
            cells[:, stream.user[k], stream.item[k]] += residual[k], 1
    products, joint = (m.T @ m for m in cells)
    norm = np.sqrt(np.maximum(np.diag(products), 1e-3))
    return np.maximum(products / np.outer(norm, norm) * joint / (joint + SHRINK), 0)


@settings(max_examples=25, deadline=None)
@given(logs(most=30), st.sampled_from(REGIMES), st.sampled_from(["rating > 3", "implicit"]))
def test_facts_agree_with_a_reckoning_row_by_row(log: str, regime: Regime, label: str):
    stream = tiny_stream(log, THREE, label=label)
    table = table_of(stream, regime)
    for name, expected in by_loops(stream, regime).items():
        assert table[name].to_list() == pytest.approx(expected, abs=1e-5), name


# -- nothing from later ------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(logs(items=9), st.sampled_from(REGIMES), st.sampled_from(REFRESH))
def test_a_view_has_bit_for_bit_the_facts_of_the_whole_log(log: str, regime: Regime, refresh: str):
    whole = tiny_stream(log, THREE)
    full = table_of(whole, regime, refresh)
    for period in (1, 2, 3, 4):
        view = whole.until(period)
        assert not differing(table_of(view, regime, refresh), full[: len(view.time)])


@settings(max_examples=20, deadline=None)
@given(logs(items=9), st.sampled_from(REGIMES))
def test_a_gap_before_the_cut_changes_no_fact(log: str, regime: Regime):
    whole = tiny_stream(log, Periods(by="time", n=3, gap="6h"))
    full = table_of(whole, regime)
    for period in (2, 3, 4):
        view = whole.until(period)
        part, same = table_of(view, regime), full[: len(view.time)]
        assert not differing(part, same)


@settings(max_examples=30, deadline=None)
@given(logs(items=9), st.sampled_from(REGIMES), st.sampled_from(REFRESH), st.data())
def test_corrupting_all_rows_after_a_cut_leaves_every_earlier_fact_bit_equal(log, regime, refresh, data):
    words = log.split()
    cut = data.draw(st.integers(2, len(words) - 1))
    broken = [
        f"{w.partition(':')[0]}:new{n}{'-' if '+' in w else '+'}@{w.partition('@')[2]}" for n, w in enumerate(words)
    ]
    whole = table_of(tiny_stream(log, THREE), regime, refresh)
    other = table_of(tiny_stream(" ".join(words[:cut] + broken[cut:]), THREE), regime, refresh)
    assert not differing(whole[:cut], other[:cut])


@settings(max_examples=30, deadline=None)
@given(logs(items=4), st.sampled_from(REGIMES), st.data())
def test_a_row_has_the_same_facts_whatever_the_ratings_it_does_not_know(log: str, regime: Regime, data):
    stream = tiny_stream(log, THREE)
    row = data.draw(st.integers(0, len(stream.time) - 1))
    known = int(regime.known(stream)[row])
    words = log.split()
    flipped = [w.translate(str.maketrans("+-", "-+")) if n >= known else w for n, w in enumerate(words)]
    if len({"+" in w for w in flipped}) == 2:  # the label rule needs both ratings
        other = tiny_stream(" ".join(flipped), THREE)
        assert not differing(table_of(stream, regime)[row], table_of(other, regime)[row])


def test_the_table_of_a_log_is_computed_once_and_serves_its_views():
    whole, told = tiny_stream(DAILY, THREE), []
    first = fact_table(whole, FRESH)
    view = whole.until(2)
    assert fact_table(view, FRESH, progress=lambda *now: told.append(now)).equals(first[: len(view.time)])
    assert len(whole.shared) == 1
    assert not told


def test_a_longer_view_of_a_log_replaces_the_table_of_a_shorter_one():
    whole = tiny_stream(DAILY, THREE)
    short = fact_table(whole.until(2), FRESH)
    assert fact_table(whole, FRESH)[: len(short)].equals(short)
    assert len(fact_table(whole, FRESH)) == len(whole.time)


def test_a_stream_with_other_labels_gets_its_own_facts_even_where_it_shares_what_was_kept():
    whole = tiny_stream(DAILY, THREE)
    before = fact_table(whole, FRESH)
    turned = replace(whole, label=1 - whole.label)
    assert turned.shared is whole.shared
    assert fact_table(turned, FRESH)["user_rate"].to_list() != before["user_rate"].to_list()
    assert fact_table(whole, FRESH).equals(before)


def test_progress_is_told_in_rows_after_every_period():
    whole, told = tiny_stream(DAILY, THREE), []
    fact_table(whole, FRESH, progress=lambda done, rows: told.append((done, rows)))
    assert told[-1] == (5, 5)
    assert [done for done, _ in told] == sorted(np.searchsorted(whole.period, np.unique(whole.period), "right"))


def test_a_view_without_rows_has_no_facts():
    table = table_of(tiny_stream(DAILY, Periods(by="time", n=2)).until(1), FRESH)
    assert (len(table), table.columns) == (0, list(COLUMNS))
    assert rendered(table, list(COLUMNS[:-2])).shape == (0, len(COLUMNS) - 2)


# -- as text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "texts"),
    {
        "item_rate": {0.0: "0", 0.026: "5", 0.5: "50", 0.74: "75", 1.0: "100", 1.2: "100"},
        "user_lean": {-0.15: "-15", -0.01: "+0", 0.0: "+0", 0.21: "+20", -3.0: "-95", 3.0: "+95"},
        "item_count": {0: "0", 1: "1", 4: "2", 5: "5", 99: "50", 999: "500", 1000: "1k", 2400: "2k", 60_000: "50k"},
        "item_age": {0: "0d", 0.9: "0d", 1: "1d", 6.9: "3d", 29: "7d", 31: "30d", 365: "1y", 900: "2y", 9999: "5y"},
    }.items(),
)
def test_facts_are_written_in_round_numbers(fact: str, texts: dict[float, str]):
    table = pl.DataFrame({fact: list(map(float, texts))})
    assert rendered(table, [fact])[fact].to_list() == list(texts.values())


def test_counts_up_to_ten_thousand_are_written_in_at_most_fourteen_ways():
    texts = rendered(pl.DataFrame({"item_count": np.arange(10_001.0)}), ["item_count"])["item_count"]
    assert texts.n_unique() == 14
    assert texts.str.len_chars().max() <= 3


def test_only_the_named_facts_are_written_in_the_order_asked_for():
    texts = rendered(table_of(tiny_stream(DAILY), FRESH), ["user_lean", "item_rate"])
    assert texts.columns == ["user_lean", "item_rate"]
    assert texts.row(4) == ("+0", "50")


def test_an_unknown_fact_is_refused_with_the_list():
    with pytest.raises(ConfigError) as caught:
        rendered(table_of(tiny_stream(DAILY), FRESH), ["item_rate", "mood"])
    assert str(caught.value) == "facts: unknown mood\nExpected some of " + ", ".join(FACTS)
