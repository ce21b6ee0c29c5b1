"""What the page of a pilot makes of its numbers, where there are enough people; too few are in pilot/test_conduct."""

import polars as pl

from dashboard.conftest import Board
from pilot.worlds import people, plan
from regraft.dashboard.charts import file_rows
from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.pages.pilot import by_exposure_chart
from regraft.pilot.analyse import by_exposure
from regraft.pilot.power import design
from regraft.pilot.terms import Terms
from regraft.state import pilots
from regraft.state.database import transaction


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


def test_the_plan_is_told_in_the_language_of_the_page_with_metrics_as_the_page_calls_them(board: Board) -> None:
    found = design(people(6000, days=42), "ctr", 0.1)
    curve = found.curve.with_columns(pl.col(pl.Float64).fill_nan(None)).to_dicts()
    sized = plan(primary="ctr", n=found.n, weeks=found.weeks)
    terms = Terms(control="stack", treatment="rates", plan=sized, designed=found.sentence(), curve=tuple(curve))
    with transaction(board.world.site.engine) as connection:
        pilots.add(connection, "spring", terms.model_dump(mode="json"), 1)
    assert "To see a lift of 10 % in Click rate with a chance of 80 %" in board.text("/pilot")
    text = board.text("/pilot?lang=ja")
    assert "クリック率の 10 % の改善を 80 % の確率で捉えるには" in text and "To see a lift" not in text
