"""Numbers of days that are closed, held or skipped, and what the commands tell of them."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from regraft.cli.main import app
from regraft.release import aggregates as daily
from regraft.release.cost import assumptions, spent
from regraft.release.evidence import Finding
from regraft.release.held import skip
from regraft.release.long_term import long_term
from regraft.release.person_days import EMPTY, active_days, by_arm, kinds, person_days
from regraft.release.runs import Outcome
from regraft.release.update import update
from regraft.setup.measuring import MeasureOptions
from regraft.state import aggregates
from regraft.state.aggregates import Aggregate
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld


def read(world: SiteWorld, **where: object) -> pl.DataFrame:
    with transaction(world.site.engine) as connection:
        return aggregates.read(connection, **where)


def test_a_held_day_has_counts_alone_and_a_skipped_one_says_that_nothing_went_live(world: SiteWorld) -> None:
    day = world.days[FIRST]
    world.ingest(world.of(day).head(40))
    held = update(world.site)
    assert held.state == "held"
    assert set(read(world, since=day)["measure"]) == {"rows", "people"}
    skip(world.site, held.run)
    found = {row["measure"]: row for row in read(world, since=day).rows(named=True)}
    assert found["promoted"] == found["promoted"] | {"value": 0.0, "n": 0, "hidden": False}  # nobody was learnt from
    assert "auc" not in found


def test_a_day_without_lists_has_foresight_returns_and_cost(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    assert update(world.site).ctr == {}
    day, week = world.days[FIRST], world.days[FIRST - 7]
    said = CliRunner().invoke(app, ["update", str(world.folder / "shop"), "--date", day, "--json"]).output
    assert "ctr" not in json.loads(said) and json.loads(said)["judged"]
    found = {row["measure"]: row for row in read(world, since=week).rows(named=True)}
    rows = world.of(*world.days[: FIRST + 1]).with_columns(day=pl.col("timestamp").dt.date())
    there = rows.filter(pl.col("day") == date.fromisoformat(week))["user_id"].unique()
    again = rows.filter(pl.col("day") > date.fromisoformat(week), pl.col("user_id").is_in(there.to_list()))
    assert found["return_7"]["day"] == week
    assert found["return_7"]["value"] == pytest.approx(again["user_id"].n_unique() / len(there))
    assert found["return_7"]["n"] == len(there)
    assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]
    assert 0.5 < found["calibration"]["value"] < 2
    assert found["storage_bytes"]["value"] > 0 and found["update_cost"]["value"] > 0
    assert "ctr" not in found and "conversion" not in found and "satisfaction" not in found
    assert found["lifetime_value"]["value"] is None  # too early
    assert found["people"] == found["people"] | {"value": float(world.of(day)["user_id"].n_unique()), "day": day}


def test_the_sunday_that_is_closed_gives_the_weeks_before_it_their_returns(world: SiteWorld) -> None:
    monday, sunday = date(2025, 1, 6), date(2025, 1, 19)
    later = [day for day in world.days[FIRST:] if day <= sunday.isoformat()]
    for day in later:
        world.ingest(world.of(day))
        update(world.site)
    (row,) = read(world, measures=["cohort_return"], segment=None).rows(named=True)
    rows = world.of(*world.days[: FIRST + len(later)]).with_columns(day=pl.col("timestamp").dt.date())
    second = pl.col("day") > date(2025, 1, 12)
    new = set(rows.filter(~second)["user_id"])
    again = new & set(rows.filter(second)["user_id"])
    assert (row["day"], row["segment"], row["n"]) == (monday.isoformat(), "after=01", len(new))
    assert row["value"] == pytest.approx(len(again) / len(new))
    assert (
        active_days(world.site, sunday, 3)
        .sort("uid", "day")
        .equals(person_days(world.site, sunday, 3).select("uid", "day"))
    )


def test_a_day_is_closed_although_its_numbers_cannot_be_written(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    def broken(*_: object) -> object:
        raise ZeroDivisionError("division by zero")

    world.ingest(world.of(world.days[FIRST]))
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(daily, "person_days", broken)
        assert update(world.site, tell=said.append).state == "promoted"
    assert said[-1] == f"The numbers of {world.days[FIRST]} could not be written: division by zero"
    assert daily.refresh(world.site)[-1] == world.days[FIRST]


def test_person_days_count_what_the_declared_rules_say(world: SiteWorld) -> None:
    site, day = world.site, world.days[FIRST - 1]
    plain = person_days(site, date.fromisoformat(day), 3)
    assert plain["worth"].to_list() == [1.0] * len(plain)
    rules = MeasureOptions(worth={"click": 2.0}, satisfied=('event == "click"',), dissatisfied=('event == "skip"',))
    site = replace(site, options=site.options.model_copy(update={"measures": rules}))
    found = person_days(site, date.fromisoformat(day), 3)
    rows = world.of(*world.days[FIRST - 3 : FIRST])
    clicks = rows.filter(event="click").height
    assert (found["worth"].sum(), found["satisfied"].sum()) == (2.0 * clicks, clicks)
    assert found["dissatisfied"].sum() == len(rows) - clicks
    assert len(found) == rows.select("user_id", pl.col("timestamp").dt.date()).n_unique()


def test_a_person_is_of_the_last_arm_from_the_first_list_of_it_on() -> None:
    days = pl.DataFrame(
        [("a", 1, "x"), ("a", 2, None), ("a", 3, "y"), ("a", 4, None), ("b", 1, None), ("c", 2, "y")],
        schema={"uid": pl.String, "day": pl.Int64, "arm": pl.String}, orient="row",
    ).with_columns(day=pl.date(2025, 1, pl.col("day")))  # fmt: skip
    found = by_arm(days)
    assert list(found) == ["", "y"]
    assert len(found[""]) == 6
    assert found["y"].select("uid", pl.col("day").dt.day()).rows() == [("a", 3), ("a", 4), ("c", 2)]


def test_kinds_of_people_by_their_earlier_days() -> None:
    days = pl.DataFrame(
        [("a", 10), ("b", 9), ("b", 10), *(("c", day) for day in range(1, 11))],
        schema={"uid": pl.String, "day": pl.Int64}, orient="row",
    ).with_columns(day=pl.date(2025, 1, pl.col("day")))  # fmt: skip
    assert dict(kinds(days, date(2025, 1, 10)).iter_rows()) == {"a": "new", "b": "light", "c": "heavy"}


def test_the_gain_of_a_pilot_is_told_as_a_curve_and_too_early_until_it_is_long_enough() -> None:
    begins, worth = date(2025, 1, 1), {"control": 1.0, "treatment": 1.5}
    frame = pl.DataFrame(
        [
            (f"{arm}{k}", begins + timedelta(days=day), arm, 1, gain, 0, 0, 0)
            for arm, gain in worth.items() for k in range(40) for day in range(12 + k % 3)
        ],
        schema=EMPTY.schema, orient="row",
    )  # fmt: skip
    rows = [row for row in long_term(frame, "2025-01-20", 10) if "gain" in row.measure]
    final, *curve = rows
    assert (final.measure, final.arm, final.n, math.isnan(final.value)) == ("lifetime_gain", "", 40, True)
    assert [row.segment for row in curve[:2]] == ["after=00", "after=01"] and curve[0].value == pytest.approx(0.5)
    assert curve[-1].value == pytest.approx(0.5 * len(curve))
    alone = long_term(frame.filter(pl.col("arm") == "control"), "2025-01-20", 10)
    assert not [row for row in alone if "gain" in row.measure]


def test_what_is_hidden_cannot_be_worked_out_from_the_rest() -> None:
    def kept(**people: int) -> set[str]:
        rows = [
            Aggregate("2025-01-06", "clicks", 1.0, 0.0, 2.0, n, segment=f"people={kind}") for kind, n in people.items()
        ]
        everybody = Aggregate("2025-01-06", "clicks", 1.0, 0.0, 2.0, sum(people.values()))
        found = daily.guarded([everybody, *rows])
        assert found[0] == everybody
        return {row.segment.removeprefix("people=") for row in found[1:]}

    assert kept(new=20, light=30, heavy=40) == {"new", "light", "heavy"}
    assert kept(new=5, light=30, heavy=40) == {"new", "heavy"}
    assert kept(new=5, light=6, heavy=40) == {"new", "light", "heavy"}  # eleven people together
    assert kept(new=5) == {"new"}


def test_what_was_forgotten_is_told_without_an_interval_where_people_are_too_few() -> None:
    finding = Finding("trusted", "pass", "older held-out rows", {"difference": -0.02, "n": 120})
    other = Finding("volume", "pass", "as ever", {"difference": 1.0})
    (row,) = daily.short_term.retained("2025-01-06", Outcome(1, "2025-01-06", "kept", (finding, other)), 40)
    assert (row.measure, row.value, row.n) == ("retained", -0.02, 40)
    assert math.isnan(row.low) and math.isnan(row.high)


@pytest.fixture
def told(world: SiteWorld) -> SiteWorld:
    """A site with numbers of two days: 1,000 lists and 300 clicks on each."""
    rows = [
        Aggregate(day, measure, value, float("nan"), float("nan"), 50)
        for day in ("2025-01-06", "2025-01-07")
        for measure, value in (("lists", 1000.0), ("clicks", 300.0), ("update_seconds", 36.0), ("update_cost", 0.001))
    ]
    few = Aggregate("2025-01-07", "ctr", 0.5, 0.4, 0.6, 3)
    with transaction(world.site.engine) as connection:
        aggregates.write(connection, [*rows, few, Aggregate("2025-01-07", "promoted", 0.0, math.nan, math.nan, 0)])
    return world


def test_metrics_prints_names_and_hides_what_few_people_did(told: SiteWorld) -> None:
    folder = str(told.folder / "shop")
    text = CliRunner().invoke(app, ["metrics", folder])
    assert text.exit_code == 0
    (line,) = [line for line in text.output.splitlines() if " ctr " in line]
    assert "fewer than 10 people" in line and "0.5" not in line
    assert "nobody" in next(line for line in text.output.splitlines() if " promoted " in line)
    (row,) = [
        r for r in json.loads(CliRunner().invoke(app, ["metrics", folder, "--json"]).output) if r["measure"] == "ctr"
    ]
    assert row["value"] is row["n"] is None and row["hidden"]


def test_cost_is_told_per_update_and_month_and_which_frequency_pays(told: SiteWorld) -> None:
    site = told.site
    found = spent(site)
    assert (found.days, found.update_seconds, found.lists) == (2, 36.0, 1000.0)
    assert found.month == pytest.approx(30 * 0.001)
    assert assumptions(site, found).clicks == 0.3
    curve = told.folder / "curve.json"
    curve.write_text(json.dumps([{"every": 1, "auc": 0.75, "seconds": 36}, {"every": 7, "auc": 0.75, "seconds": 6}]))
    said = CliRunner().invoke(app, ["cost", str(site.folder), "--curve", str(curve)])
    assert said.exit_code == 0
    assert "Daily costs 0.000833 USD a day more than weekly and earns 0 USD more: it does not pay." in said.output
    curve.write_text("[]")
    assert CliRunner().invoke(app, ["cost", str(site.folder), "--curve", str(curve)]).exit_code != 0


def test_the_day_of_a_list_is_that_of_its_first_row(world: SiteWorld) -> None:
    late = datetime(2025, 1, 6, 23, 59, tzinfo=UTC)
    same = {"uid": "a", "request_id": "r", "arm": "c", "version": "v", "value": None}
    one = {**same, "item_id": "x", "position": 0, "event": "impression", "time": late}
    two = {**same, "item_id": "y", "position": 1, "event": "click", "time": late + timedelta(hours=1)}
    rows = pl.DataFrame([one, two], schema_overrides={"value": pl.Float64})
    of = {day: daily.short_term.shown_items(world.site, rows, day) for day in ("2025-01-06", "2025-01-07")}
    assert of["2025-01-06"].select("item_id", "clicked").rows() == [("x", False), ("y", True)]
    assert not len(of["2025-01-07"])
