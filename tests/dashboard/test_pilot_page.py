"""What the page of a pilot makes of its numbers, where there are enough people; too few are in pilot/test_conduct."""

import polars as pl

from pilot.worlds import people, plan
from regraft.dashboard.charts import file_rows
from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.pages.pilot import by_exposure_chart
from regraft.pilot.analyse import by_exposure


def test_the_lift_by_day_since_exposure_is_drawn_with_interval_and_people() -> None:
    lifts = (2.0, 0.0)
    days = pl.concat(people(2000, visits=lift).with_columns(day=pl.lit(k)) for k, lift in enumerate(lifts, 1))
    rows = by_exposure(days, plan(window_days=2), "visits").to_dicts()
    chart = by_exposure_chart(rows, DashboardWords("en"))
    (last,) = chart.latest
    assert (chart.state, last.n, last.day) == ("", "2,000", "day 2 since the first list")
    assert [row.day for row in chart.rows] == ["1", "2"] and chart.rows[1].at == 1.0
    first = rows[0]["relative"]
    assert f"{100 * first:.2f}" in chart.rows[0].cells[0] and "n 2,000" in chart.rows[0].cells[0]
    assert chart.drawn is not None and "days since the first list" in chart.drawn.svg
    heading, *lines = file_rows(chart, DashboardWords("en"))
    assert heading == ("Days since", "Lift by day since the first list", "95 %: low", "95 %: high", "n")
    ends = [tuple(row[end] for end in ("relative", "relative_low", "relative_high")) for row in rows]
    assert lines == [(day, *of_day, 2000) for day, of_day in enumerate(ends, 1)]


def test_too_few_people_are_told_with_how_many_are_needed() -> None:
    rows = by_exposure(people(300).with_columns(day=pl.lit(1)), plan(window_days=1), "visits").to_dicts()
    chart = by_exposure_chart([{**row, "relative": None} for row in rows], DashboardWords("ja"))
    n = min(rows[0]["n_control"], rows[0]["n_treatment"])
    assert chart.state == "few" and f"n = {n}" in chart.note and "200" in chart.note
