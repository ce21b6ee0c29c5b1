"""Days that a person approved stay where they are, while what is usual follows whoever moves slowly enough."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from regraft.cli.main import app
from regraft.errors import DataError, StateError
from regraft.release import gate
from regraft.release.anchor import approve, withdraw
from regraft.release.arrivals import COMPARED, EARLIER, approved, day_of
from regraft.release.day_numbers import EMPTY
from regraft.release.evidence import Check, Day, Finding
from regraft.release.update import look, update
from regraft.setup.site import Site
from regraft.state import ledger
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

ROWS, FLAT, DRIFT = 10_000, 28, 60  # rows a day; days before the drift and of it


def drifting(point: float) -> pl.DataFrame:
    """Numbers of days: 20 % of the rows are liked for FLAT days, then `point` more every day, and as chance has it."""
    share = 0.2 + point * np.maximum(0, np.arange(FLAT + DRIFT) - FLAT + 1)
    liked = np.random.default_rng(0).binomial(ROWS, share) / ROWS
    own = {"rows": ROWS, "users": 2000, "likes": liked * ROWS, "liked": liked, "top_item": 0.012}
    days = [f"{date(2025, 1, 1) + timedelta(days=k)}" for k in range(FLAT + DRIFT)]
    numbers = {**EMPTY, **own, "liked_noise": np.sqrt(share * (1 - share) / ROWS)}
    return pl.DataFrame({"day": days, **numbers}).with_columns(pl.exclude("day").cast(pl.Float64))


def findings(days: pl.DataFrame, k: int, anchor: pl.DataFrame | None) -> list[Finding]:
    """What the checks that know approved days say of day k beside those before it, and beside the anchor."""
    own = days.row(k, named=True)
    day = Day(pl.DataFrame({"uid": ["a"]}), own, days[max(0, k - EARLIER) : k], approved=anchor)
    return gate.look(anchored(), day)


@cache
def anchored() -> list[Check]:
    return [check for check in gate.checks({}, "before") if check.anchored]


def test_a_slow_drift_is_followed_by_the_days_before_and_held_by_approved_days() -> None:
    days = drifting(0.001)
    anchor = days[:FLAT].select("day", *COMPARED)
    last = findings(days, FLAT + DRIFT - 1, anchor)
    assert [f.check for f in last if f.outcome == "hold"] == ["label-share"]
    assert last[0].reason.startswith("beside the days approved, 2025-01-01 to 2025-01-28: 2")
    assert len(last) == 6
    every = range(FLAT, FLAT + DRIFT)
    assert not any(f.outcome == "hold" for k in every for f in findings(days, k, None))
    held = [k - FLAT + 1 for k in every if gate.outcome(findings(days, k, anchor)) == "hold"]
    assert 20 <= held[0] <= 40  # 6 deviations of a day: about 3 points


def test_days_like_the_approved_ones_pass() -> None:
    days = drifting(0.0)
    anchor = days[:FLAT].select("day", *COMPARED)
    assert all(gate.outcome(findings(days, k, anchor)) == "pass" for k in range(FLAT, FLAT + DRIFT))


def test_approved_days_are_kept_in_the_ledger_and_looked_at_until_others_take_their_place(world: SiteWorld) -> None:
    site, first, last = world.site, world.days[FIRST - 8], world.days[FIRST - 1]
    found = approve(site, first, last)
    assert (found["day"][0], found["day"][-1], len(found)) == (first, last, 8)
    assert found["rows"].to_list() == [float(len(world.of(day))) for day in world.days[FIRST - 8 : FIRST]]
    with transaction(site.engine) as connection:
        assert ledger.entries(connection)[-1].details["from"] == first
        assert approved(connection).equals(found)
    world.ingest(world.of(world.days[FIRST]))
    words = [
        f.reason for f in look(site).findings if f.reason.startswith(f"beside the days approved, {first} to {last}: ")
    ]
    assert len(words) == 3
    approve(site, world.days[FIRST - 6], last)
    assert day_of(site, _ms(world.days[FIRST])).approved.height == 6
    withdraw(site)
    assert day_of(site, _ms(world.days[FIRST])).approved is None


def test_a_day_that_is_held_beside_approved_days_is_judged_anew_beside_others(world: SiteWorld) -> None:
    site, days = world.site, world.days[FIRST - 8 : FIRST]
    approve(site, days[0], days[-1])
    _say(site, liked=0.9)
    world.ingest(world.of(world.days[FIRST]))
    held = update(site)
    assert held.state == "held" and held.findings[0].check == "label-share"
    with pytest.raises(StateError, match="waits for a person"):
        update(site)
    approve(site, days[0], days[-1])
    assert update(site).state == "promoted"


def test_days_that_are_not_closed_or_too_few_are_refused(world: SiteWorld) -> None:
    site, last = world.site, world.days[FIRST - 1]
    with pytest.raises(StateError) as early:
        approve(site, last, world.days[FIRST])
    assert str(early.value).startswith(f"day {world.days[FIRST]}: is not closed yet")
    with pytest.raises(DataError, match="1 of them have rows that are learnt from"):
        approve(site, last, last)
    with pytest.raises(DataError, match="is no date"):
        approve(site, "monday", last)


def test_the_command_approves_shows_and_withdraws(world: SiteWorld) -> None:
    shop, days = str(world.folder / "shop"), world.days[FIRST - 8 : FIRST]

    def said(*words: str) -> str:
        return CliRunner().invoke(app, ["anchor", shop, *words]).output

    assert said().startswith("No days are approved.")
    assert "these 8 as well" in said("--from", days[0], "--to", days[-1])
    assert [row["day"] for row in json.loads(said("--json"))] == days
    assert said("--withdraw").startswith("No days are approved.")
    assert CliRunner().invoke(app, ["anchor", shop, "--from", days[0]]).exit_code != 0


def _ms(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def _say(site: Site, **numbers: float) -> None:
    """Writes the approved days again with other numbers."""
    with transaction(site.engine) as connection:
        entry = ledger.newest(connection, "days approved")
        days = [{**day, **numbers} for day in entry.details["days"]]
        ledger.append(connection, entry.kind, {**entry.details, "days": days}, entry.at)
