"""People from rows that were counted by hand."""

import polars as pl
import pytest

from regraft.data.labels import LabelRule
from regraft.pilot.windows import DAY, by_day, exposed, labelled, of_the_past, people, seen_in_both

RULE = LabelRule('event == "click"')
BEGUN = 100 * DAY


def rows(*said: tuple) -> pl.DataFrame:
    """Each: user, days since the pilot began, event; and arm, request, position of what was served."""
    full = [(*one, *[None] * (6 - len(one))) for one in said]
    names = ["uid", "day", "event", "arm", "request_id", "position"]
    frame = pl.DataFrame(full, names, orient="row", schema_overrides={"position": pl.Int32, "request_id": pl.String})
    at = (BEGUN + pl.col("day") * DAY).cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))
    return labelled(frame.with_columns(time=at, value=pl.lit(None, pl.Float64), version=pl.lit("v")), RULE)


def of(frame: pl.DataFrame, end: float = 30) -> pl.DataFrame:
    until = BEGUN + int(end * DAY)
    return people(frame, exposed(frame, BEGUN, until), until)


def test_a_window_begins_with_the_first_list_and_holds_seven_days() -> None:
    found = of(rows(
        ("a", 0.5, "impression", "treatment", "r", 0), ("a", 0.5, "click", "treatment", "r", 1), ("a", 3, "click"),
        ("a", 7.4, "click"), ("a", 7.5, "click"),
    ))  # fmt: skip
    (one,) = found.rows(named=True)
    assert (one["arm"], one["entered"] - BEGUN) == ("treatment", DAY // 2)
    assert (one["clicks"], one["ctr_num"], one["ctr_den"]) == (3, 1, 2)
    assert (one["active_days"], one["returned"]) == (3, 1)


def test_whose_window_has_not_ended_is_not_there_yet() -> None:
    frame = rows(("a", 0, "impression", "control", "r", 0), ("b", 1, "impression", "control", "s", 0))
    assert of(frame, 7)["uid"].to_list() == ["a"]
    assert of(frame, 6.9).is_empty()
    assert sorted(of(frame, 8)["uid"]) == ["a", "b"]


def test_a_late_click_on_a_place_counts_the_place_once() -> None:
    (one,) = of(rows(
        ("a", 0, "impression", "control", "r", 0), ("a", 0.2, "click", "control", "r", 0),
        ("a", 0, "impression", "control", "r", 1),
    )).rows(named=True)  # fmt: skip
    assert (one["ctr_num"], one["ctr_den"]) == (1, 2)


def test_covariates_come_from_before_exposure_and_are_null_for_the_unknown() -> None:
    found = of(rows(
        ("new", 0, "impression", "control", "r", 0),
        ("idle", -20, "click"), ("idle", 0, "impression", "control", "s", 0),
        ("busy", -1, "click"), ("busy", -1, "skip"), ("busy", -3, "skip"), ("busy", -9, "click"),
        ("busy", -11, "click"),
        ("busy", 0, "impression", "treatment", "t", 0), ("busy", 1, "click"),
    ))  # fmt: skip
    got = {row["uid"]: row for row in found.rows(named=True)}
    before = ["clicks_before", "ctr_before", "active_days_before", "returned_before"]
    assert [got["new"][b] for b in before] == [None] * 4
    assert [got["idle"][b] for b in before] == [0, None, 0, 0]
    assert [got["busy"][b] for b in before] == [1, pytest.approx(1 / 3), 2, 1]
    assert {uid: row["segment"] for uid, row in got.items()} == {"new": "new", "idle": "light", "busy": "heavy"}


def test_lists_of_no_pilot_and_of_another_time_expose_nobody() -> None:
    frame = rows(
        ("a", -1, "impression", "treatment", "q", 0), ("b", 0, "impression", "champion", "r", 0),
        ("c", 0, "impression", "holdout", "s", 0), ("d", 0, "click"),
    )  # fmt: skip
    assert of(frame).is_empty()


def test_who_was_served_in_both_arms_is_left_out_and_counted() -> None:
    frame = rows(
        ("a", 0, "impression", "treatment", "q", 0), ("a", 1, "impression", "control", "r", 0),
        ("b", 0, "impression", "control", "s", 0),
    )  # fmt: skip
    assert of(frame)["uid"].to_list() == ["b"]
    assert seen_in_both(frame, BEGUN, BEGUN + DAY * 9) == 1


def test_the_past_of_a_log_that_was_not_served_gives_people_without_arms() -> None:
    frame = rows(("a", -3, "click"), ("a", 0, "click"), ("a", 2, "skip"), ("b", 4, "skip"))
    found = people(frame, of_the_past(frame, BEGUN), BEGUN + 20 * DAY)
    assert found.select("uid", "clicks", "ctr_num", "ctr_den", "returned", "clicks_before").rows() == [
        ("a", 1, 1, 2, 1, 1), ("b", 0, 0, 1, 0, None),
    ]  # fmt: skip


def test_what_was_done_is_told_of_every_day_of_the_same_people_and_what_was_shown_of_the_day_it_was_shown() -> None:
    frame = rows(
        ("a", 0.5, "impression", "treatment", "r", 0), ("a", 0.5, "impression", "treatment", "r", 1),
        ("a", 1.7, "click", "treatment", "r", 1), ("a", 1.8, "click"), ("a", 2.4, "skip"), ("a", 3.6, "click"),
        ("b", 1, "impression", "control", "s", 0),
    )  # fmt: skip
    until = BEGUN + 4 * DAY
    followed = people(frame, exposed(frame, BEGUN, until), until, 3)
    found = by_day(frame, followed, 3).sort("uid", "day")
    told = ("uid", "day", "clicks", "ctr_num", "ctr_den", "active_days", "returned")
    assert found.select(told).rows() == [
        ("a", 1, 0, 1, 2, 1, 0), ("a", 2, 2, 0, 0, 1, 1), ("a", 3, 0, 0, 0, 0, 0),
        ("b", 1, 0, 0, 1, 1, 0), ("b", 2, 0, 0, 0, 0, 0), ("b", 3, 0, 0, 0, 0, 0),
    ]  # fmt: skip
    whole = found.group_by("uid").agg(pl.col("clicks", "ctr_num", "ctr_den").sum())
    assert whole.sort("uid").equals(followed.select(whole.columns).sort("uid"))


def test_before_the_first_window_has_ended_there_is_nobody_on_any_day() -> None:
    frame = rows(("a", 0, "impression", "control", "r", 0))
    until = BEGUN + DAY
    assert by_day(frame, people(frame, exposed(frame, BEGUN, until), until), 7).is_empty()
