"""Every check of a day's rows passes a clean day and holds the faulty one that it is there for."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from regraft.data.drift_world import DriftWorld, simulate
from regraft.errors import ConfigError
from regraft.release import gate
from regraft.release.day_numbers import day_numbers, deviations
from regraft.release.evidence import Day, Finding, Foreseen
from regraft.said import Said
from regraft.testing import faults

DAYS = 14


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    world = DriftWorld(users=300, items=100, periods=DAYS, seed=3, taste_change_at=None, new_items_at=None)
    return simulate(world).interactions.with_columns(day=pl.col("timestamp").dt.strftime("%Y-%m-%d"))


def stored(rows: pl.DataFrame) -> pl.DataFrame:
    """As a site keeps them; a row becomes known when it happens."""
    return rows.select(
        uid="user_id", item_id="item_id", time="timestamp", known_at="timestamp", event="event", value="value",
        label=(pl.col("event") == "click").cast(pl.Int8), request_id=pl.lit(None, pl.String),
    )  # fmt: skip


def last_day(log: pl.DataFrame, fault: faults.Fault | None = None, aside: float = 0.0) -> Day:
    """The last day beside those before it, with a fault in its rows."""
    *_, day = sorted(set(log["day"]))
    today = log.filter(day=day).drop("day")
    today = fault(today, np.random.default_rng(0)) if fault else today
    rows = pl.concat([stored(log.filter(pl.col("day") < day)), stored(today)])
    return Day.of(rows, day, {day: aside})


def found(check: str, day: Day) -> Finding:
    (one,) = (f for f in gate.look(gate.checks({}, "before"), day) if f.check == check)
    assert isinstance(one.reason, Said)  # or else it could not be told in Japanese
    return one


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        ("label-share", faults.label_flip),
        ("label-share", faults.all_positive),
        ("duplicates", faults.doubled_day),
        ("volume", faults.empty_day),
        ("missing-hours", faults.half_day),
        ("missing-hours", faults.shifted_day),
        ("top-users", faults.flood),
        ("top-items", faults.promoted_item),
        ("schema", faults.swapped_columns),
    ],
)
def test_a_check_passes_the_clean_day_and_holds_the_faulty_one(
    log: pl.DataFrame, check: str, fault: faults.Fault
) -> None:
    assert found(check, last_day(log)).outcome == "pass"
    wrong = found(check, last_day(log, fault))
    assert wrong.outcome == "hold"
    assert "usual" in wrong.reason or "new" in wrong.reason


def test_nothing_holds_the_clean_day(log: pl.DataFrame) -> None:
    assert gate.outcome(gate.look(gate.checks({}, "before"), last_day(log))) == "pass"


def test_many_late_rows_hold_a_day_and_a_few_do_not(log: pl.DataFrame) -> None:
    *_, before, day = sorted(set(log["day"]))

    def with_late(n: int) -> Day:
        rows = stored(log)
        cut = pl.lit(f"{day}T00:00:00").str.to_datetime(time_unit="ms", time_zone="UTC").cast(rows.schema["known_at"])
        old = stored(log.filter(day=before)).head(n).with_columns(known_at=cut, item_id=pl.lit("i1"))
        return Day.of(pl.concat([rows, old]), day)

    assert found("late-rows", with_late(3)).outcome == "pass"
    assert found("late-rows", with_late(300)).outcome == "hold"


def test_rows_that_could_not_be_read_hold_a_day(log: pl.DataFrame) -> None:
    assert found("set-aside", last_day(log, aside=0.005)).outcome == "pass"
    assert found("set-aside", last_day(log, aside=0.5)).outcome == "hold"


def test_an_event_or_a_value_that_never_came_before_holds_a_day(log: pl.DataFrame) -> None:
    renamed = found("schema", last_day(log, lambda day, rng: day.with_columns(event=pl.lit("CLICK"))))
    larger = found("schema", last_day(log, lambda day, rng: day.with_columns(value=pl.lit(1e6))))
    without = found("schema", last_day(log, lambda day, rng: day.with_columns(value=pl.lit(None, dtype=pl.Float64))))
    assert [one.outcome for one in (renamed, larger, without)] == ["hold"] * 3
    assert "events that are new" in renamed.reason
    assert "known range" in larger.reason


def test_a_small_site_is_let_alone_and_an_empty_day_is_seen_all_the_same(log: pl.DataFrame) -> None:
    few = log.filter(pl.int_range(pl.len()).over("day") % 40 == 0)  # some 25 rows a day
    assert 15 < len(few) / DAYS < 40
    assert gate.outcome(gate.look(gate.checks({}, "before"), last_day(few))) == "pass"
    assert found("volume", last_day(few, faults.empty_day)).outcome == "hold"


def test_likes_of_lists_of_ours_are_compared_with_likes_of_such_lists_only(log: pl.DataFrame) -> None:
    day = max(log["day"])
    flipped = faults.label_flip(log.filter(day=day).drop("day"), np.random.default_rng(0))
    ours = stored(flipped).with_columns(request_id=pl.lit("list"))
    rows = pl.concat([stored(log.filter(pl.col("day") < day)), ours])
    first = found("label-share", Day.of(rows, day))
    assert (first.outcome, "0 earlier days are too few" in first.reason) == ("pass", True)
    served = rows.with_columns(request_id=pl.lit("list"))
    assert found("label-share", Day.of(served, day)).outcome == "hold"


def one_item_more(log: pl.DataFrame, listed: bool) -> pl.DataFrame:
    """The last day, of lists of ours, and 12 % of its rows again as likes of one item: of our lists or of none."""
    day = log.filter(day=max(log["day"])).drop("day")
    more = day.head(round(0.12 * len(day))).with_columns(item_id=pl.lit("i1"), event=pl.lit("click"))
    own = stored(more).with_columns(request_id=pl.lit("list") if listed else pl.lit(None, pl.String))
    return pl.concat([stored(day).with_columns(request_id=pl.lit("list")), own])


def test_our_own_lists_may_gather_the_likes_on_what_they_show_and_nobody_else_may(log: pl.DataFrame) -> None:
    day = max(log["day"])
    past = stored(log.filter(pl.col("day") < day))
    ours, others = (Day.of(pl.concat([past, one_item_more(log, listed)]), day) for listed in (True, False))
    assert ours.numbers["top_item"] > 0.1 > ours.numbers["top_unlisted"]
    assert found("top-items", ours).outcome == "pass"
    promoted = found("top-items", others)
    assert promoted.outcome == "hold" and "of the likes outside our lists, usually" in promoted.reason
    served = past.with_columns(request_id=pl.lit("list"))
    for listed in (True, False):  # once days with lists are usual, all likes count
        later = Day.of(pl.concat([served, one_item_more(log, listed)]), day)
        assert found("top-items", later).outcome == "hold"


def test_a_finding_is_json_whatever_it_holds() -> None:
    assert Finding("foresight", "pass", "first day", {"auc": 0.7, "usual": float("nan")}).values == {"auc": 0.7}


def test_the_first_days_pass_for_want_of_others(log: pl.DataFrame) -> None:
    first = sorted(set(log["day"]))[:3]
    day = last_day(log.filter(pl.col("day").is_in(first)), faults.label_flip)
    assert "too few to compare with" in found("label-share", day).reason
    assert gate.outcome(gate.look(gate.checks({}, "before"), day)) == "pass"


def seen(auc: float, earlier: tuple[float, ...] = (0.70, 0.72, 0.69, 0.71, 0.70), rows: int = 600) -> Finding:
    (one,) = gate.look(gate.checks({}, "judged"), Foreseen(auc, rows, rows // 2, earlier))
    return one


def test_a_day_that_the_version_in_service_foresees_backwards_is_held() -> None:
    assert seen(0.69).outcome == "pass"
    assert seen(0.31).outcome == "hold"
    assert seen(0.31, earlier=()).outcome == "hold"  # worse than a coin: no earlier day is needed to know
    assert seen(0.31, rows=20).outcome == "pass"


def test_numbers_of_a_day_by_hand() -> None:
    at = [f"2025-01-06T{hour:02d}:00:{second:02d}" for hour, second in ((6, 0), (6, 30), (12, 0), (18, 0))]
    time = pl.Series(at).str.to_datetime(time_unit="ms", time_zone="UTC")
    rows = pl.DataFrame(
        {
            "uid": ["a", "a", "a", "b"], "item_id": ["x", "x", "y", "x"], "time": time, "known_at": time,
            "event": "click", "value": [1.0, 1.0, None, 3.0], "label": [1, 1, 0, 1],
            "request_id": ["r", None, None, None],
        }
    )  # fmt: skip
    (day,) = day_numbers(rows).to_dicts()
    assert (day["day"], day["rows"], day["users"], day["likes"], day["served"]) == ("2025-01-06", 4, 2, 3, 0.25)
    assert (day["echoes"], day["gap"], day["valued"], day["top_users"]) == (0.25, 6.0, 0.75, 0.75)
    assert (day["value_low"], day["value_high"], day["top_item"]) == (1.0, 3.0, 1.0)


def test_deviations_count_from_the_median_and_at_least_the_floor() -> None:
    assert deviations(20.0, pl.Series([10.0] * 10), floor=2.0) == (5.0, 10.0)
    away, _ = deviations(20.0, pl.Series([8.0, 9.0, 10.0, 11.0, 12.0]), floor=0.0)
    assert away == pytest.approx(10 / (1.4826 * 1.8))


def test_a_check_or_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no check"):
        gate.checks({"volumes": {}}, "before")
    with pytest.raises(ConfigError, match="check 'volume'"):
        gate.checks({"volume": {"mots": 3}}, "before")
