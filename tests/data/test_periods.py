"""Where periods begin, and that they stay there."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.periods import EARLIEST, MOST, Cuts, Periods, calendar
from regraft.data.regimes import UNITS
from regraft.errors import ConfigError, DataError

DAY = UNITS["d"]


def ids(known_at: np.ndarray) -> np.ndarray:
    return np.arange(len(known_at))


def found(periods: Periods, *times: int) -> tuple[list[int], tuple[int, ...]]:
    period, cuts = periods.cut(np.array(times))
    return period.tolist(), cuts


# -- three ways to cut ------------------------------------------------------------------------------


def test_periods_of_equal_time_have_one_width_and_hold_the_last_row() -> None:
    assert found(Periods(by="time", n=3), 0, 1, 5, 9) == ([1, 1, 2, 3], (0, 4, 8, 12))


def test_periods_of_equal_count_hold_as_many_rows_each() -> None:
    period, cuts = found(Periods(by="count", n=3), 0, 10, 20, 30, 40, 50)
    assert period == [1, 1, 2, 2, 3, 3]
    assert cuts == (0, 11, 31, 51)  # right behind the last row of the period before


def test_an_equal_count_cut_moves_before_the_rows_of_its_instant() -> None:
    period, cuts = found(Periods(by="count", n=2), 0, 7, 7, 7, 8, 9)
    assert (period, cuts) == ([1, 2, 2, 2, 2, 2], (0, 1, 10))


def test_rows_of_one_instant_straddle_an_equal_count_cut_where_that_is_asked_for() -> None:
    period, cuts = found(Periods(by="count", n=2, straddle=True), 0, 7, 7, 7, 8, 9)
    assert (period, cuts) == ([1, 1, 1, 2, 2, 2], (0, 7, 10))


def test_calendar_periods_begin_with_their_unit_and_cover_days_without_rows() -> None:
    at = [int(datetime(2020, 1, day, 12, tzinfo=UTC).timestamp() * 1000) for day in (1, 2, 4)]
    period, cuts = found(Periods(by="calendar", every="1d"), *at)
    assert period == [1, 2, 4]
    assert [datetime.fromtimestamp(c / 1000, UTC).day for c in cuts] == [1, 2, 3, 4, 5]


def test_months_have_the_lengths_of_months() -> None:
    first, last = (int(datetime(2020, m, 15, tzinfo=UTC).timestamp() * 1000) for m in (1, 3))
    assert (np.diff(calendar(first, last, "1mo")) // DAY).tolist() == [31, 29, 31]


def test_a_warm_up_is_a_share_of_the_rows_and_keeps_instants_whole() -> None:
    assert found(Periods(by="time", n=2, warm_up=0.5), 0, 1, 2, 2, 2, 9)[0] == [0, 0, 1, 1, 1, 2]


def test_period_one_begins_at_the_start_that_is_given() -> None:
    for by in ("time", "count"):
        periods = Periods(by=by, n=2, start=datetime(1970, 1, 2))  # type: ignore[arg-type]
        assert found(periods, 0, DAY - 1, DAY, DAY + 5, 2 * DAY, 2 * DAY + 5)[0] == [0, 0, 1, 1, 2, 2]
        assert found(periods, 0, DAY, DAY + 5, 2 * DAY)[1][0] == DAY


# -- what cannot be cut -----------------------------------------------------------------------------


def test_a_start_behind_all_rows_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        found(Periods(start=datetime(2020, 1, 1)), 0, DAY)
    assert str(caught.value) == (
        "periods: no row at or after the start 2020-01-01 00:00:00\nExpected a start before 1970-01-02"
    )


def test_too_few_instants_for_the_periods_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        found(Periods(by="count", n=3), 1, 1, 1, 2)
    assert str(caught.value) == "periods: 4 rows at 2 distinct times cannot fill 3 periods\nExpected fewer periods"


@pytest.mark.parametrize("every", ["1x", "week", ""])
def test_a_calendar_unit_that_does_not_exist_is_refused(every: str) -> None:
    with pytest.raises(ConfigError, match=f"periods.every '{every}'"):
        found(Periods(by="calendar", every=every), 0, DAY)


def test_more_periods_than_anybody_wants_are_refused_before_they_are_made() -> None:
    with pytest.raises(ConfigError, match=f"at most {MOST:,}"):
        found(Periods(by="calendar", every="1s"), 0, 30_000 * DAY)


def test_a_gap_that_is_no_duration_is_refused() -> None:
    with pytest.raises(ConfigError, match="duration 'soon'"):
        Periods(gap="soon")


# -- growth -----------------------------------------------------------------------------------------

RULES = [
    Periods(by="time", n=3, warm_up=0.3),
    Periods(by="count", n=3, warm_up=0.3),
    Periods(by="count", n=3, warm_up=0.3, straddle=True),
    Periods(by="calendar", every="1d"),
]
OLD, MORE = (st.lists(st.integers(least, 30), min_size=12, max_size=40) for least in (1, 0))


def times(gaps: list[int]) -> np.ndarray:
    return np.cumsum(np.array(gaps)) * UNITS["h"]


@pytest.mark.parametrize("periods", RULES, ids=str)
@settings(max_examples=25, deadline=None)
@given(old=OLD, more=MORE)
def test_growth_moves_no_cut_and_no_row(periods: Periods, old: list[int], more: list[int]) -> None:
    at = times([1, *old, 1, 1, 1, 1, *more])
    short = at[: len(old) + 5]
    cuts = periods.cuts(short, ids(short))
    grown = cuts.grown(at, ids(at))
    assert grown.starts[: len(cuts.starts)] == cuts.starts
    before, after = cuts.of_rows(short, ids(short)), grown.of_rows(at, ids(at))
    assert after[: len(short)].tolist() == before.tolist()
    assert (np.diff(after) >= 0).all() and after.max() <= len(grown.starts)
    assert at[-1] < grown.end


@pytest.mark.parametrize("periods", RULES, ids=str)
@settings(max_examples=25, deadline=None)
@given(old=OLD, more=MORE, split=st.integers(1, 11))
def test_growth_in_two_steps_cuts_as_growth_in_one(periods: Periods, old: list[int], more: list[int], split: int):
    at = times([1, *old, 1, 1, 1, 1, *more[:split], 1, *more[split:]])
    first, middle = len(old) + 5, len(old) + 5 + split
    cuts = periods.cuts(at[:first], ids(at[:first]))
    steps = cuts.grown(at[:middle], ids(at[:middle])).grown(at, ids(at))
    once = cuts.grown(at, ids(at))
    assert steps.of_rows(at, ids(at)).tolist() == once.of_rows(at, ids(at)).tolist()
    assert steps == once


def test_growth_by_time_adds_periods_of_the_same_width() -> None:
    cuts = Periods(by="time", n=2).cuts(np.array([0, 9]), np.arange(2))
    assert cuts.times == (0, 5, 10)
    assert cuts.grown(np.array([0, 9, 21]), np.arange(3)).times == (0, 5, 10, 15, 20, 25)


def test_growth_by_count_fills_the_last_period_before_it_adds_another() -> None:
    at = np.arange(0, 100, 10)
    cuts = Periods(by="count", n=2).cuts(at[:6], ids(at[:6]))
    assert cuts.of_rows(at[:6], ids(at[:6])).tolist() == [1, 1, 1, 2, 2, 2]
    for end, periods in ((7, [3]), (8, [3, 3]), (9, [3, 3, 3]), (10, [3, 3, 3, 4])):
        cuts = cuts.grown(at[:end], ids(at[:end]))
        assert cuts.of_rows(at[:end], ids(at[:end]))[6:].tolist() == periods


def test_an_equal_count_cut_names_no_time_of_a_row_behind_it() -> None:
    for later in (60, 75):
        at = np.array([0, 10, 20, 30, 40, 50, later])
        cuts = Periods(by="count", n=2).cuts(at[:6], ids(at[:6])).grown(at, ids(at))
        assert cuts.times[:3] == (0, 21, 51)


def test_rows_that_are_gone_do_not_open_a_full_period_again() -> None:
    at = np.array([0, 10, 20, 30, 40, 50, 60, 70])
    cuts = Periods(by="count", n=2).cuts(at[:6], ids(at[:6]))
    left = np.array([0, 1, 2, 3, 6, 7])  # two rows of period 2 were erased
    assert cuts.grown(at[left], left).of_rows(at[left], left).tolist() == [1, 1, 1, 2, 3, 3]


def test_a_log_that_did_not_grow_keeps_its_cuts_as_they_are() -> None:
    at = np.array([0, 10, 20, 30])
    for periods in (Periods(by="time", n=2), Periods(by="count", n=2), Periods(by="calendar", every="1d")):
        cuts = periods.cuts(at, ids(at))
        assert cuts.grown(at, ids(at)) is cuts


# -- written down -----------------------------------------------------------------------------------


@pytest.mark.parametrize("periods", RULES, ids=str)
def test_cuts_survive_the_way_through_json(periods: Periods) -> None:
    at = np.arange(0, 100 * UNITS["h"], UNITS["h"])
    cuts = periods.cuts(at, ids(at))
    assert Cuts.of_dict(json.loads(json.dumps(cuts.as_dict())), "cuts.json") == cuts


@pytest.mark.parametrize("saved", [{}, {"starts": [[0]]}, {"starts": [[0, 1]], "by": "time"}, {"starts": 3}])
def test_what_holds_no_cuts_is_refused_by_name(saved: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"cuts\.json: holds no cuts: .*\nExpected what regraft wrote there"):
        Cuts.of_dict(saved, "cuts.json")


# -- late rows --------------------------------------------------------------------------------------

CUTS = Cuts("time", ((0, EARLIEST), (10, EARLIEST), (20, EARLIEST)), 30)


@pytest.mark.parametrize(
    ("time", "arrived", "known_at"),
    [
        (5, 9, 5),  # while its period was open
        (5, 10, 10),  # as its period was closed
        (5, 11, 20),
        (5, 20, 20),
        (15, 18, 15),
        (15, 22, 30),
        (15, 44, 44),  # no cut stands there yet
        (-5, -3, -5),  # in the warm-up
        (-5, 3, 10),
        (35, 44, 35),  # behind the last cut
    ],
)
def test_a_row_that_arrives_after_its_period_was_closed_is_known_from_the_next_cut_on(
    time: int, arrived: int, known_at: int
) -> None:
    assert CUTS.known_at(np.array([time]), np.array([arrived])).tolist() == [known_at]
