"""A log that grows leaves every earlier view as it was, and a view shows nothing behind its cut.

The logs here are drawn at random; what is compared are all arrays, texts, cuts, hashes and fingerprints, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from regraft.data.build import build_stream
from regraft.data.interactions import TIME
from regraft.data.periods import Cuts, Periods
from regraft.data.stream import Stream
from worlds import tiny_log

HOUR = 3_600_000
RULES = {
    "time": Periods(by="time", n=3, warm_up=0.2),
    "count": Periods(by="count", n=3, warm_up=0.2),
    "straddling count": Periods(by="count", n=3, warm_up=0.2, straddle=True),
    "calendar": Periods(by="calendar", every="1d"),
    "gap": Periods(by="calendar", every="1d", gap="5h"),
}
LABELS = ("rating > 3", "implicit")
every_rule = pytest.mark.parametrize("rule", RULES)
every_rule_and_label = pytest.mark.parametrize(
    ("rule", "label"), [(r, x) for r in RULES for x in LABELS if (r, x) != ("straddling count", "implicit")]
)
few = settings(max_examples=4, deadline=None, phases=[Phase.generate], derandomize=True)


@st.composite
def worlds(draw: st.DrawFn, least: int = 16, most: int = 40) -> pl.DataFrame:
    """Interactions of four days and more; liked and disliked, with ties and with new users and items to the end."""
    at, words = 0, []
    for n in range(draw(st.integers(least, most))):
        at += draw(st.sampled_from([0, 1, 7, 9, 11]))
        user, item = draw(st.integers(0, 3 + n // 8)), draw(st.integers(0, 4 + n // 6))
        words.append(f"u{user}:i{item}{'+' if n == 0 or (n > 1 and draw(st.booleans())) else '-'}@{at + n / 1000}h")
    return tiny_log(" ".join(words))


def texts(log: pl.DataFrame, word: str = "new") -> pl.DataFrame:
    """Two texts of every item: one from the first on, another from the middle of its life."""
    first = log.group_by("item_id", maintain_order=True).agg(
        pl.col("timestamp").min().alias("from"), pl.col("timestamp").max().alias("to")
    )
    later = first["from"].dt.epoch("ms") + (first["to"].dt.epoch("ms") - first["from"].dt.epoch("ms")) // 2 + HOUR
    old = first.select("item_id", title=pl.lit("old ") + pl.col("item_id"), known_at=pl.lit(None, dtype=TIME))
    new = first.select("item_id", title=pl.lit(f"{word} ") + pl.col("item_id"), known_at=pl.from_epoch(later, "ms"))
    return pl.concat([old, new.with_columns(pl.col("known_at").dt.replace_time_zone("UTC").cast(TIME))])


def built(log: pl.DataFrame, items: pl.DataFrame, rule: str, label: str = LABELS[0], cuts: Cuts | None = None):
    return build_stream(log, items, label, RULES[rule], negatives=2, cuts=cuts)


def contents(view: Stream) -> Iterator[tuple[str, object]]:
    """All that a view shows, in a form that can be compared."""
    for field in fields(Stream):
        value = getattr(view, field.name)
        if field.name in ("origin", "shared", "item_versions"):
            continue
        if isinstance(value, np.ndarray):
            yield field.name, (value.dtype, value.tolist())
        elif isinstance(value, (pl.DataFrame, pl.Series)):
            yield field.name, value.to_dict(as_series=False) if isinstance(value, pl.DataFrame) else value.to_list()
        else:
            yield field.name, value
    order = view.order
    yield "order", (order.rows.tolist(), order.start.tolist(), order.index.tolist())
    yield "hashes", (view.hashes, view.fingerprint, view.rows_hash)
    yield "scored under", {p: view.scored_under(p) for p in view.hashes}


def assert_same(one: Stream, other: Stream) -> None:
    for (name, mine), (_, theirs) in zip(contents(one), contents(other), strict=True):
        assert mine == theirs, name


# -- growth -----------------------------------------------------------------------------------------


@every_rule_and_label
@few
@given(log=worlds(least=24), share=st.floats(0.4, 0.9))
def test_every_earlier_view_stays_as_it_was_when_rows_and_days_are_added(
    rule: str, label: str, log: pl.DataFrame, share: float
) -> None:
    old = log[: int(share * len(log))]
    assume(old["value"].n_unique() == 2)
    # What is new, be it a row or a text, begins behind the end of the last period.
    cuts = built(old, texts(log), rule, label).frozen
    assert cuts is not None
    early = pl.col("known_at").is_null() | (pl.col("known_at").dt.epoch("ms") < cuts.end)
    short = built(old, texts(log).filter(early), rule, label, cuts)
    assert short.frozen == cuts
    new = log[len(old) :].filter(pl.col("timestamp").dt.epoch("ms") >= cuts.end)
    long = built(pl.concat([old, new]), texts(log), rule, label, cuts)
    for period in range(1, short.n_periods + 2):
        assert_same(short.until(period), long.until(period))
    for period in range(1, short.n_periods + 1):
        assert_same(short.cases(period), long.cases(period))
    assert_same(short.warm_up(), long.warm_up())
    assert short.hashes == {p: long.hashes[p] for p in short.hashes}


@every_rule
@few
@given(log=worlds(least=24))
def test_a_log_that_grows_day_by_day_is_cut_as_one_that_grew_at_once(rule: str, log: pl.DataFrame) -> None:
    items = texts(log)
    steps = [log[:14], log[:18], log[:21], log]
    assume(steps[0]["value"].n_unique() == 2)
    first = stream = built(steps[0], items, rule)
    assert first.frozen is not None
    ends = [first.frozen.end]
    for step in steps[1:]:
        assert stream.frozen is not None
        stream = built(step, items, rule, cuts=stream.frozen)
        ends.append(stream.frozen.end if stream.frozen else 0)
    once = built(log, items, rule, cuts=first.frozen)
    assert stream.cuts == once.cuts
    assert stream.fingerprint == once.fingerprint


@every_rule
def test_growth_adds_periods_and_never_moves_warm_up_or_cuts(rule: str) -> None:
    words = [f"u{n % 5}:i{n % 7}{'+' if n % 3 else '-'}@{5 * n}h" for n in range(80)]
    short, whole = (tiny_log(" ".join(words[:n])) for n in (40, 80))
    items = whole.select("item_id")
    before = built(short, items, rule)
    after = built(whole, items, rule, cuts=before.frozen)
    moved = built(whole, items, rule)
    assert after.n_periods > before.n_periods
    assert after.cuts[: before.n_periods] == before.cuts[:-1]
    assert after.period[:40].tolist() == before.period.tolist()
    assert rule in ("calendar", "gap") or moved.cuts[: before.n_periods] != before.cuts[:-1]


# -- what stands behind a cut -----------------------------------------------------------------------


def changed_after(log: pl.DataFrame, cut: int, extra: int) -> pl.DataFrame:
    """Every row at or after the cut is another: who, what, when and how liked, and how many there are."""
    after = pl.col("timestamp").dt.epoch("ms") >= cut
    kept, end = log.filter(~after), log.filter(after)
    other = end.with_columns(
        user_id=pl.lit("stranger ") + pl.col("user_id").reverse(),
        item_id=pl.when(pl.col("line") % 2 == 0).then(pl.col("item_id").reverse()).otherwise(pl.lit("unheard of")),
        value=6 - pl.col("value"),
        timestamp=pl.col("timestamp") + pl.duration(milliseconds=pl.col("line") * 1000),
    )
    more = pl.concat([other.tail(1)] * extra) if len(other) and extra else other.clear()
    more = more.with_columns(
        line=pl.int_range(len(more)) + len(log) + 1, timestamp=pl.col("timestamp") + pl.duration(days=2)
    )
    return pl.concat([kept, other[: len(other) - (extra == 0)], more.cast(dict(kept.schema))])


@every_rule_and_label
@few
@given(log=worlds(least=20), extra=st.integers(0, 9))
def test_a_view_shows_nothing_of_what_stands_behind_its_cut(
    rule: str, label: str, log: pl.DataFrame, extra: int
) -> None:
    whole = built(log, texts(log), rule, label)
    for period in range(1, whole.n_periods + 1):
        cut = whole.cuts[period - 1]
        if rule == "straddling count":  # rows of the cut's own instant stand on both sides of it
            cut += 1
        changed = changed_after(log, cut, extra)
        if not len(changed) or changed["value"].n_unique() < 2:
            continue
        items = pl.concat([
            texts(log).filter(pl.col("known_at").is_null() | (pl.col("known_at").dt.epoch("ms") < cut)),
            texts(log, "another").filter(pl.col("known_at").dt.epoch("ms") >= cut),
        ])  # fmt: skip
        other = built(changed, items, rule, label, whole.frozen)
        if rule != "straddling count":
            assert_same(whole.until(period), other.until(period))
        if period > 1:
            assert_same(whole.cases(period - 1), other.cases(period - 1))
            assert [whole.hashes.get(p) for p in range(period)] == [other.hashes.get(p) for p in range(period)]


def test_an_equal_count_view_names_no_time_of_a_row_it_does_not_show() -> None:
    words = [f"u{n % 5}:i{n % 7}{'+' if n % 3 else '-'}@{7 * n + n % 3}h" for n in range(60)]
    stream = built(tiny_log(" ".join(words)), tiny_log(" ".join(words)).select("item_id"), "count")
    for view in [stream.until(p) for p in range(1, 4)] + [stream.cases(p) for p in range(1, 4)]:
        unseen = set(stream.time.tolist()) - set(view.time.tolist())
        assert not unseen & set(view.cuts)
        assert view.frozen is None


def test_a_text_that_changes_inside_a_period_is_not_shown_to_the_cases_of_that_period() -> None:
    log = tiny_log("a:x+@1h b:x-@2h a:x+@25h b:y-@47h a:x-@49h")
    items = pl.DataFrame(
        {"item_id": ["x", "x", "y"], "title": ["x", "x, hailed by all", "y"], "known_at": [None, 30 * HOUR, None]},
        schema_overrides={"known_at": pl.Int64},
    ).with_columns(pl.from_epoch("known_at", "ms").dt.replace_time_zone("UTC").cast(TIME))
    stream = built(log, items, "calendar")
    titles = [stream.cases(p).items["title"].to_list() for p in (1, 2, 3)]
    assert titles == [["x"], ["x", "y"], ["x, hailed by all", "y"]]
    assert stream.until(3).items["title"].to_list() == ["x, hailed by all", "y"]


# -- one row more or less ---------------------------------------------------------------------------


def without_first_appearances(log: pl.DataFrame) -> list[int]:
    """Lines that introduce neither a user nor an item."""
    new = log["user_id"].is_first_distinct() | log["item_id"].is_first_distinct()
    return log["line"].filter(~new).to_list()


@few
@given(log=worlds(least=20), which=st.integers(0, 100))
def test_a_row_that_is_gone_redraws_no_negative_of_another_user(log: pl.DataFrame, which: int) -> None:
    lines = without_first_appearances(log)
    assume(lines)
    gone = lines[which % len(lines)]
    whole = built(log, texts(log), "calendar", "implicit")
    left = built(log.filter(pl.col("line") != gone), texts(log), "calendar", "implicit")
    user = log.filter(pl.col("line") == gone)["user_id"][0]
    assert negatives(left, user) == negatives(whole, user)


@few
@given(log=worlds(least=20), days=st.integers(1, 3))
def test_a_row_that_arrives_late_redraws_no_negative_of_another_user(log: pl.DataFrame, days: int) -> None:
    lines = without_first_appearances(log)
    assume(lines)
    time = pl.col("timestamp")
    late = log.with_columns(
        known_at=pl.when(pl.col("line") == lines[0]).then(time + pl.duration(days=days, milliseconds=1)).otherwise(time)
    )
    whole, moved = built(log, texts(log), "calendar", "implicit"), built(late, texts(log), "calendar", "implicit")
    user = log.filter(pl.col("line") == lines[0])["user_id"][0]
    assert negatives(moved, user) == negatives(whole, user)


def negatives(stream: Stream, but: str) -> dict[int, str]:
    """Item of every sampled negative, by row id, of all users but one."""
    found = stream.positions(stream.row_id[~stream.happened])
    users = stream.user_ids.gather(stream.user[found])
    items = stream.items["item_id"].gather(stream.item[found])
    return {i: x for i, u, x in zip(stream.row_id[found].tolist(), users, items, strict=True) if u != but}


@few
@given(log=worlds(least=20), n=st.integers(1, 8), which=st.integers(0, 100), weighted=st.booleans())
def test_a_row_that_is_gone_changes_one_row_of_a_sample_at_most(
    log: pl.DataFrame, n: int, which: int, weighted: bool
) -> None:
    stream = built(log, texts(log), "calendar")
    gone = which % len(stream)
    left = stream.only(np.arange(len(stream)) != gone)
    ids = []
    for view in (stream, left):
        weights = 1.0 + view.ids % 3 if weighted else None
        ids.append(set(view.sample(n, np.random.default_rng(5), weights).ids.tolist()))
    if stream.ids[gone] in ids[0]:
        assert ids[0] - ids[1] == {stream.ids[gone]}
        assert len(ids[1]) == min(n, len(left))
    else:
        assert ids[0] == ids[1]
