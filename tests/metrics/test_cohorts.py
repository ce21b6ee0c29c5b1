"""Cohorts on worlds small enough to count by hand."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from regraft.metrics.cohorts import WEEKS, cohort_return

MONDAY = date(2025, 1, 6)


def days(*active: str) -> pl.DataFrame:
    """ "a 0 3": person a was there on these days after MONDAY."""
    rows = [(who, MONDAY + timedelta(days=int(day))) for who, *when in (one.split() for one in active) for day in when]
    return pl.DataFrame(rows, schema={"uid": pl.String, "day": pl.Date}, orient="row")


def shares(log: pl.DataFrame, weeks: int) -> dict[tuple[int, int], tuple[float, int]]:
    """(share, people) by week joined and weeks since, at the end of so many weeks."""
    found = cohort_return(log, MONDAY + timedelta(days=7 * weeks - 1))
    return {
        ((row["joined"] - MONDAY).days // 7, row["after"]): (row["value"], row["n"]) for row in found.rows(named=True)
    }


def test_who_was_new_in_a_week_is_looked_for_in_each_week_since() -> None:
    log = days("a 0 7 14", "b 6 20", "c 3", "d 8 14")
    assert shares(log, 3) == {(0, 1): (1 / 3, 3), (0, 2): (2 / 3, 3), (1, 1): (1.0, 1)}


def test_a_week_that_is_not_over_is_not_counted() -> None:
    log = days("a 0 7", "b 1")
    assert shares(log, 1) == {}
    assert cohort_return(log, MONDAY + timedelta(days=12)).is_empty()
    assert shares(log, 2) == {(0, 1): (0.5, 2)}


def test_who_comes_back_after_four_silent_weeks_is_new_again_and_after_three_is_not() -> None:
    assert {joined for joined, _ in shares(days("a 0 35"), 7)} == {0, 5}
    assert {joined for joined, _ in shares(days("a 0 28"), 7)} == {0}


def test_a_cohort_does_not_change_as_the_weeks_go_on() -> None:
    log = days("a 0 30 58 120", "b 2 9 80", "c 16 44", "d 70 77 84 91")
    early, late = shares(log, 13), shares(log, 16)
    assert early.keys() & late.keys()
    assert all(early[cell] == late[cell] for cell in early.keys() & late.keys())


def test_no_cohort_is_followed_for_longer_than_twelve_weeks() -> None:
    found = shares(days(*(f"p{week} {7 * week}" for week in range(30))), 30)
    assert {after for _, after in found} == set(range(1, WEEKS + 1))
    assert min(joined for joined, _ in found) == 30 - WEEKS - 1
