"""Numbers that pages read: written once per key, read by day, hidden where few people are behind them."""

import math

import pytest
from sqlalchemy import Engine

from regraft.state.aggregates import Aggregate, newest, read, write
from regraft.state.database import open_database, transaction


@pytest.fixture
def engine(url: str) -> Engine:
    return open_database(url)


def ctr(day: str, value: float, n: int = 50, **where: str) -> Aggregate:
    return Aggregate(day, "ctr", value, value - 0.1, value + 0.1, n, **where)


def test_the_same_key_is_replaced_and_others_stay(engine: Engine) -> None:
    with transaction(engine) as connection:
        write(connection, [ctr("2025-01-06", 0.2), ctr("2025-01-06", 0.3, arm="a")])
        write(connection, [ctr("2025-01-06", 0.4)])
        found = read(connection, arm=None)
    assert found.select("arm", "value").rows() == [("", 0.4), ("a", 0.3)]


def test_a_contender_may_have_a_long_name(engine: Engine) -> None:
    segment = "contender=" + "c" * 100
    with transaction(engine) as connection:
        write(connection, [ctr("2025-01-06", 0.5, segment=segment)])
        assert read(connection, segment=segment)["value"].to_list() == [0.5]


def test_days_are_inclusive_and_arm_and_segment_are_all_by_default(engine: Engine) -> None:
    days = ["2025-01-05", "2025-01-06", "2025-01-07", "2025-01-08"]
    with transaction(engine) as connection:
        write(connection, [ctr(day, 0.5) for day in days])
        write(connection, [ctr(days[1], 0.5, segment="people=new"), ctr(days[1], 0.5, arm="a")])
        assert read(connection, ["ctr"], days[1], days[2])["day"].to_list() == days[1:3]
        assert read(connection, ["ctr"], days[1], days[1], segment=None)["segment"].to_list() == ["", "people=new"]
        assert len(read(connection, ["auc"])) == 0


@pytest.mark.parametrize(("n", "hidden"), [(0, False), (1, True), (9, True), (10, False)])
def test_what_fewer_than_ten_people_did_is_hidden_and_so_is_their_number(engine: Engine, n: int, hidden: bool) -> None:
    with transaction(engine) as connection:
        write(connection, [ctr("2025-01-06", 0.5, n)])
        (row,) = read(connection).rows(named=True)
    told = [row[name] for name in ("value", "low", "high", "n")]
    assert row["hidden"] is hidden
    assert told == ([None] * 4 if hidden else [0.5, 0.4, 0.6, n])


def test_what_is_no_number_is_null(engine: Engine) -> None:
    with transaction(engine) as connection:
        write(connection, [Aggregate("2025-01-06", "auc", 0.7, math.nan, math.nan, 40)])
        (row,) = read(connection).rows(named=True)
    assert (row["value"], row["low"], row["high"], row["hidden"]) == (0.7, None, None, False)


def test_the_newest_row_of_each_measure_may_be_of_different_days(engine: Engine) -> None:
    with transaction(engine) as connection:
        write(connection, [ctr("2025-01-06", 0.1), ctr("2025-01-07", 0.2)])
        write(connection, [Aggregate("2025-01-01", "return_7", 0.5, 0.4, 0.6, 50)])
        found = newest(connection)
    assert found.select("day", "measure", "value").rows() == [
        ("2025-01-01", "return_7", 0.5),
        ("2025-01-07", "ctr", 0.2),
    ]


def test_more_rows_than_a_statement_takes_are_written(engine: Engine) -> None:
    rows = [ctr("2025-01-06", 0.5, segment=str(k)) for k in range(250)]
    with transaction(engine) as connection:
        assert write(connection, rows) == write(connection, rows) == 250
        assert len(read(connection, segment=None)) == 250
