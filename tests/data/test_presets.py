"""The published layout of ML-1M, on small logs: 20 periods of the last samples that have ten earlier ones."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from regraft.data.interactions import TIME
from regraft.data.presets import HISTORY, PERIODS, lsat_ml_1m
from regraft.data.row_checks import row_checks
from regraft.data.stream import Stream
from regraft.errors import DataError
from worlds import tiny_log

USERS, ROWS, SAMPLES = 8, 400, 200


def ratings(step: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    words = [f"u{rng.integers(USERS)}:i{rng.integers(30)}{'+' if n % 3 else '-'}@{n // step}" for n in range(ROWS)]
    return tiny_log(" ".join(words))


def preset(log: pl.DataFrame, information: str = "full", items: pl.DataFrame | None = None) -> Stream:
    found = log.select("item_id").unique(maintain_order=True) if items is None else items
    return lsat_ml_1m(log, found, information, samples=SAMPLES)  # type: ignore[arg-type]


FULL, WINDOW = preset(ratings()), preset(ratings(), "window")


def test_the_last_samples_fill_twenty_equal_periods() -> None:
    for stream in (FULL, WINDOW):
        assert stream.n_periods == PERIODS
        assert [len(stream.cases(p)) for p in range(1, PERIODS + 1)] == [SAMPLES // PERIODS] * PERIODS


def test_every_sample_has_ten_earlier_ratings_of_its_user() -> None:
    assert FULL.order.index[FULL.targets].min() >= HISTORY
    assert WINDOW.order.index[WINDOW.targets].min() >= HISTORY
    early = FULL.order.index < HISTORY
    assert not early[FULL.targets].any()


def test_no_later_candidate_is_left_out() -> None:
    candidates = np.flatnonzero(FULL.order.index >= HISTORY)
    assert FULL.targets.tolist() == candidates[-SAMPLES:].tolist()


def test_ties_may_straddle_a_cut_as_published() -> None:
    stream = preset(ratings(step=7))
    assert [len(stream.cases(p)) for p in range(1, PERIODS + 1)] == [SAMPLES // PERIODS] * PERIODS
    ends = [int(np.searchsorted(stream.period, p)) for p in range(2, PERIODS + 1)]
    assert any(stream.time[e - 1] == stream.time[e] for e in ends)
    assert (np.diff(stream.row_id) > 0).all()  # ties keep the order of the file


def test_the_window_holds_the_samples_and_the_ten_ratings_each_carries() -> None:
    expected = set()
    for target in FULL.targets:
        own = FULL.order.rows[FULL.order.start[FULL.user[target]] :][: FULL.order.index[target] + 1]
        expected |= set(FULL.row_id[own[-HISTORY - 1 :]].tolist())
    assert set(WINDOW.row_id.tolist()) == expected
    assert len(expected) < ROWS
    assert WINDOW.ids.tolist() == FULL.ids.tolist()


def test_rows_of_the_window_mean_what_they_meant() -> None:
    at = FULL.positions(WINDOW.row_id)
    assert row_checks(WINDOW, np.arange(len(at))).tolist() == row_checks(FULL, at).tolist()
    assert WINDOW.label.tolist() == FULL.label[at].tolist()
    assert WINDOW.period.tolist() == FULL.period[at].tolist()
    for codes in (WINDOW.user, WINDOW.item):  # given anew, by first appearance
        first = np.unique(codes, return_index=True)[1]
        assert (np.diff(first) > 0).all() and codes.max() == len(first) - 1


def test_views_of_both_sets_end_before_their_cut() -> None:
    for stream in (FULL, WINDOW):
        for period in (1, 7, PERIODS):
            view = stream.until(period)
            assert (view.period < period).all()
            assert len(view) == (period - 1) * SAMPLES // PERIODS
            assert len(view.items) == view.item.max() + 1


def test_the_window_shows_texts_as_known_at_the_cut() -> None:
    log = ratings()
    late = log["timestamp"][-60]
    names = log["item_id"].unique(maintain_order=True)
    items = pl.concat([
        pl.DataFrame({"item_id": names, "title": "old " + names}).with_columns(known_at=pl.lit(None, dtype=TIME)),
        pl.DataFrame({"item_id": names, "title": "new " + names}).with_columns(known_at=pl.lit(late, dtype=TIME)),
    ])  # fmt: skip
    stream = preset(log, "window", items)
    for view, word in ((stream, "new"), (stream.until(PERIODS), "new"), (stream.until(3), "old")):
        assert view.items["title"].to_list() == [f"{word} {i}" for i in view.items["item_id"]]
        assert view.items["item_id"].to_list() == stream.items["item_id"].to_list()[: len(view.items)]


def test_a_log_that_is_too_small_for_the_preset_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        lsat_ml_1m(ratings(), ratings().select("item_id"))
    n = int((FULL.order.index >= HISTORY).sum())
    assert str(caught.value) == (
        f"preset lsat-ml-1m: the log has {n} ratings with 10 earlier ones\nExpected at least 200,000\n"
        "Use periods of your own instead of the preset"
    )
