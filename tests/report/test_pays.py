"""When updates pay: by hand."""

import json
from pathlib import Path

import polars as pl
import pytest

from regraft.errors import DataError
from regraft.release.cost import curve_of
from regraft.report.pays import Assumptions, balance, best, pairs, sensitivity
from regraft.report.pays_words import in_words, what_tips

CURVE = pl.DataFrame({"every": [1, 7, 28], "auc": [0.75, 0.74, 0.70], "seconds": [3600.0, 600.0, 0.0]})
# 0.01 AUC brings 1 % of 1,000 x 0.5 clicks = 5 clicks of 0.02: 0.10 a day
GIVEN = Assumptions(update_hour=0.12, lists=1000, clicks=0.5, lift=0.01, click=0.02)


def test_cost_and_return_of_each_frequency() -> None:
    found = balance(CURVE, GIVEN)
    assert found["cost"].to_list() == pytest.approx([0.12, 0.02, 0.0])
    assert found["earned"].to_list() == pytest.approx([0.5, 0.4, 0.0])
    assert found["net"].to_list() == pytest.approx([0.38, 0.38, 0.0])


def test_of_two_equal_ones_the_rarer_is_best() -> None:
    tie = CURVE.with_columns(auc=pl.Series([0.75, 0.74, 0.70]), seconds=pl.Series([3600.0, 3600.0, 3600.0]))
    assert best(tie.with_columns(auc=pl.lit(0.7)), GIVEN) == 28
    assert best(CURVE.with_columns(auc=pl.Series([0.76, 0.74, 0.7])), GIVEN) == 1


def test_the_choice_in_words() -> None:
    daily, weekly = pairs(CURVE.with_columns(auc=pl.Series([0.744, 0.74, 0.70])), GIVEN)
    said = in_words(daily, GIVEN)
    assert said == "Daily costs 0.1 USD a day more than weekly and earns 0.04 USD more: it does not pay."
    assert in_words(weekly, GIVEN).endswith("than every four weeks and earns 0.4 USD more: it pays.")
    assert in_words(daily, GIVEN, "ja").endswith("見合いません。")


def test_an_interval_that_holds_both_answers_decides_nothing() -> None:
    rows = CURVE[1:].with_columns(low=pl.Series([-0.01, None]), high=pl.Series([0.09, None]))
    (pair,) = pairs(rows, GIVEN)
    assert pair.pays is None
    assert in_words(pair, GIVEN).endswith("earns 0.4 USD [-0.1, 0.9] more: whether it pays cannot be told yet.")
    sure = rows.with_columns(low=pl.Series([0.01, None]))
    assert pairs(sure, GIVEN)[0].pays is True


def test_sensitivity_names_the_value_at_which_the_choice_tips() -> None:
    curve = CURVE.with_columns(auc=pl.Series([0.744, 0.74, 0.70]))
    swings = {swing.name: swing for swing in sensitivity(curve, GIVEN)}
    assert best(curve, GIVEN) == 7
    click = swings["click"]
    assert click.tips == pytest.approx(0.02 * 0.02 / 0.4)  # weekly earns 0.4 for 0.02
    assert (swings["update_hour"].half, swings["update_hour"].twice) == (7, 7)
    assert swings["click"].twice == 7
    assert best(curve, Assumptions(0.12, 1000, 0.5, 0.01, click.tips * 0.99)) == 28
    assert what_tips(click, 7, GIVEN) == "Weekly is best while the worth of a click is above 0.001 (now 0.02)."


def test_a_curve_of_one_frequency_is_refused() -> None:
    with pytest.raises(DataError, match="two or more different frequencies"):
        balance(CURVE[:1], GIVEN)


def test_the_curve_of_a_tuning_is_that_of_the_contender_at_the_advised_history(tmp_path: Path) -> None:
    def setting(every: int, auc: float, seconds: float, days: object = "all", contender: str = "stack") -> dict:
        place = {"contender": contender, "share": None, "every": every, "days": days}
        return {**place, "auc": {"all": {"estimate": auc}}, "seconds_per_period": seconds}

    def advice(contender: str) -> dict:
        place = {"contender": contender, "share": None, "every": 1, "days": "all"}
        step = {"every": 1, "instead_of": 7, "gain": {"estimate": 0.01, "low": 0.005, "high": 0.015}}
        return {"contender": contender, "advised": place, "break_even": [step]}

    settings = [setting(1, 0.75, 60), setting(7, 0.74, 9), setting(1, 0.7, 5, 30), setting(1, 0.6, 1, "all", "rates")]
    found = {"period_days": 2.0, "advice": [advice("rates"), advice("stack")], "settings": settings}
    path = tmp_path / "tune.json"
    path.write_text(json.dumps(found))
    assert curve_of(path, "stack").rows() == [(2, 0.75, 30.0, 0.005, 0.015), (14, 0.74, 4.5, None, None)]
    path.write_text(json.dumps({**found, "advice": []}))
    with pytest.raises(DataError):
        curve_of(path)
