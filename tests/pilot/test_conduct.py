"""A pilot on a small site: planned, served for two days, looked at, extended, stopped, decided."""

import html
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from regraft.cli.main import app
from regraft.dashboard.app import make_app
from regraft.data.sides import Side
from regraft.errors import ConfigError, DataError, StateError
from regraft.pilot.conduct import decide, extend, plan, ramp, start, stop
from regraft.pilot.evidence import evidence_of
from regraft.pilot.settings import Plan
from regraft.pilot.terms import PilotOptions, Terms
from regraft.release.close import SECONDS_ALL
from regraft.release.journal import FOLDER as LOGS
from regraft.release.promote import promote
from regraft.release.update import update
from regraft.serving.service import Service
from regraft.serving.standing import read_data
from regraft.setup.site import DAY, Site
from regraft.setup.site_options import FILE
from regraft.state import aggregates, ledger, pilots, tables, versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

PEOPLE = [f"u{k:03d}" for k in range(1, 41)]
TERMS = Terms(
    control="stack", treatment="rates", slice="own", designed="A plan.",
    plan=Plan(primary="clicks", minimum_lift=0.1, guardrails={"returned": 0.1}, n=200, weeks=1, window_days=1),
)  # fmt: skip


@pytest.fixture(scope="module")
def lived(made: SiteWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteWorld]:
    """The site after a day without a pilot, and two days of a pilot of everybody: the treatment clicks alone."""
    with pytest.MonkeyPatch.context() as patch:
        shop = made.copied(tmp_path_factory.mktemp("piloted") / "w", patch)
        path = shop.site.folder / FILE
        path.write_text(path.read_text().replace("challengers: []", "challengers: [{use: rates}]") + "repeat: true\n")
        close(shop, FIRST)
        with transaction(shop.site.engine) as connection:
            pilots.add(connection, "one", TERMS.model_dump(mode="json"), at=1)
        start(shop.site, "one", 1.0)
        service = Service(shop.site)
        for day in (FIRST + 1, FIRST + 2):
            noon = ms(shop.days[day]) + DAY // 2
            for who in PEOPLE:
                listed = service.recommend(who, 3, noon)
                if listed.arm == "treatment":
                    service.take([click(who, listed.items[0].item, listed.request_id, noon + 60_000)])
            close(shop, day)
            service.look()
        service.stop()
        yield shop


@pytest.fixture
def shop(lived: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    """A copy of it."""
    return lived.copied(tmp_path / "w", monkeypatch)


def ms(day: str) -> int:
    return int(pl.Series([day]).str.to_datetime(time_zone="UTC").dt.epoch("ms")[0])


def click(who: str, item: str, request: str, at: int) -> dict:
    return {"user_id": who, "item_id": item, "event": "click", "request_id": request, "time": at}


def close(shop: SiteWorld, day: int) -> None:
    """Closes a day; where the gate holds it, since all who click click the same item, a person lets it pass."""
    shop.ingest(shop.of(shop.days[day]))
    done = update(shop.site)
    if done.state == "held":
        update(shop.site, accept=done.run)


def champion(site: Site) -> str:
    with transaction(site.engine) as connection:
        alias = versions.alias(connection, "champion")
    assert alias is not None
    return alias.version


def told(site: Site) -> list[ledger.Entry]:
    with transaction(site.engine) as connection:
        return ledger.entries(connection)


def test_the_evidence_counts_each_arm_once_its_windows_have_ended(lived: SiteWorld) -> None:
    found = evidence_of(lived.site)
    assert sum(found.entered.values()) == len(PEOPLE) == len(found.people) and min(found.entered.values()) > 8
    assert found.in_both == found.fallen_back == 0
    clicks = found.people.group_by("arm").agg(pl.col("ctr_num").sum() / pl.len())
    assert dict(clicks.iter_rows()) == {"control": 0.0, "treatment": 1.0}
    assert (found.until - found.pilot.begun) // DAY == 2
    assert found.people["clicks_before"].null_count() < len(PEOPLE)


def test_each_arm_was_served_the_versions_of_its_contender(lived: SiteWorld) -> None:
    with transaction(lived.site.engine) as connection:
        contender = {v.name: v.contender for v in versions.listed(connection)}
    found = evidence_of(lived.site).versions
    assert {arm: {contender[v] for v in served} for arm, served in found.items()} == {
        "control": {"stack"}, "treatment": {"rates"},
    }  # fmt: skip
    assert len(found["treatment"]) == 2  # the night between brought a newer one


def test_each_arm_learns_from_its_own_people_and_from_equally_many_rows(lived: SiteWorld) -> None:
    site, found = lived.site, evidence_of(lived.site)
    begun, people = found.pilot.begun, found.people
    with transaction(site.engine) as connection:
        newest = {v.contender: v for v in versions.listed(connection)}
        cuts = site.closed_cuts(connection)
    sides = {name: newest[name].lineage["side"] for name in ("stack", "rates")}
    assert sides == {
        "stack": {"arm": "control", "slice": "own", "begun": begun},
        "rates": {"arm": "treatment", "slice": "own", "begun": begun},
    }
    uids = {arm: set(people.filter(pl.col("arm") == arm)["uid"]) for arm in ("control", "treatment")}
    counts = []
    for side in sides.values():
        stream = site.stream(cuts, side=Side(**side))
        since = stream.time >= begun
        who = set(stream.user_ids.gather(stream.user[since]).to_list())
        other = uids["treatment" if side["arm"] == "control" else "control"]
        assert uids[side["arm"]] <= who and not other & who
        mine = np.isin(stream.user[stream.targets], np.flatnonzero(stream.user_ids.is_in(list(uids[side["arm"]]))))
        counts.append(int((mine & (stream.time[stream.targets] >= begun)).sum()))
    assert counts[0] == counts[1] > 40


def test_what_an_arm_s_version_took_leaves_out_the_reading_of_the_other_side(lived: SiteWorld) -> None:
    with transaction(lived.site.engine) as connection:
        newest = {v.contender: v.lineage[SECONDS_ALL] for v in versions.listed(connection)}
    (path,) = (lived.site.reports / LOGS).glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = {line["step"]: line["seconds"] for line in lines if line["kind"] == "update"}  # of the last day
    assert newest["stack"] + newest["rates"] <= steps["judge"] + steps["renew"] + 0.002  # as they are rounded


def test_under_control_only_no_row_of_the_treatment_is_a_target_a_neighbour_or_a_fact(shop: SiteWorld) -> None:
    site, found = shop.site, evidence_of(shop.site)
    begun = found.pilot.begun
    treated, control = (found.people.filter(arm=arm)["uid"].to_list() for arm in ("treatment", "control"))
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    sides = [Side(arm, "control-only", begun) for arm in ("control", "treatment")]
    streams = [site.stream(cuts, side=side) for side in sides]
    assert streams[0].fingerprint == streams[1].fingerprint  # adapters and stacks learn from equally many rows
    since = set(streams[0].user_ids.gather(streams[0].user[streams[0].time >= begun]).to_list())
    assert set(control) <= since and not set(treated) & since
    plain, knowing = (read_data(site, side).live for side in sides)
    times = [[live.history(uid).time.max(initial=0) for uid in treated] for live in (plain, knowing)]
    assert max(times[0]) < begun <= min(times[1])  # whom it serves it knows by their own rows
    items, now = plain.catalogue["item_id"].to_list(), knowing.now + 1000
    for uid in control[:2]:
        assert plain.request(uid, items, now).facts.equals(knowing.request(uid, items, now).facts)


def test_under_shared_both_sides_are_the_whole_log(shop: SiteWorld) -> None:
    site, begun = shop.site, evidence_of(shop.site).pilot.begun
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    whole = site.stream(cuts)
    assert all(
        site.stream(cuts, side=Side(arm, "shared", begun)).fingerprint == whole.fingerprint
        for arm in ("control", "treatment")
    )


def test_each_arm_s_version_is_judged_on_the_people_whom_it_served(shop: SiteWorld) -> None:
    with transaction(shop.site.engine) as connection:
        found = aggregates.newest(connection, ["auc", "calibration"], arm=None)
    rows = {(row["measure"], row["arm"]): row for row in found.rows(named=True)}
    for arm in ("control", "treatment"):
        assert 0 <= rows["auc", arm]["value"] <= 1 and rows["auc", arm]["day"] == shop.days[FIRST + 2]
        assert 10 <= rows["auc", arm]["n"] <= len(PEOPLE) and rows["calibration", arm]["value"] > 0
    assert rows["auc", "control"]["n"] + rows["auc", "treatment"]["n"] <= len(PEOPLE)


def test_the_page_of_the_pilot_says_what_arms_learnt_from_and_what_was_measured_of_it(shop: SiteWorld) -> None:
    found = evidence_of(shop.site)
    assert found.contaminated == 0 and found.evenly and min(found.learnt.values()) > 100
    with TestClient(make_app(shop.site), base_url="http://127.0.0.1:8100") as client:
        page = html.unescape(client.get("/pilot?lang=en").text)
    assert "0\u00a0% of the rows that the control learns from" in page
    assert f"{found.learnt['control']:,} by the control's newest version" in page and "equally many" in page
    assert "an error of +0.3 points [-1.1, +1.6], n = 20 worlds (docs/results/contamination.md)" in page
    assert "needs 200" in page and 'id="pilot-auc"' in page and 'id="pilot-exposure"' in page


def test_few_people_are_too_few_to_decide_and_nothing_changes(shop: SiteWorld) -> None:
    before, entries = champion(shop.site), told(shop.site)
    done = decide(shop.site)
    assert (done.decision, done.champion) == ("extend", before)
    assert told(shop.site) == entries


def test_a_roll_out_against_the_numbers_needs_a_reason_and_moves_the_alias(shop: SiteWorld) -> None:
    with pytest.raises(ConfigError, match="not what the numbers say, which is extend"):
        decide(shop.site, against="roll-out")
    before = champion(shop.site)
    done = decide(shop.site, against="roll-out", reason="the owner likes it")
    assert done.was == before and champion(shop.site) == done.champion != before
    moved, decided = told(shop.site)[-2:]
    assert (moved.kind, moved.details["alias"], moved.details["to"]) == (
        "rolled out by a pilot", "champion", done.champion,
    )  # fmt: skip
    assert decided.kind == "pilot decided" and decided.details["reason"] == "the owner likes it"
    evidence = decided.details["evidence"]
    assert evidence["decision"] == "extend" and len(evidence["effects"]) == 2
    assert evidence["entered"]["control"] + evidence["entered"]["treatment"] == len(PEOPLE)
    with transaction(shop.site.engine) as connection:
        assert versions.version(connection, done.champion).contender == "rates"
        assert pilots.running(connection) is None


@pytest.mark.slow
def test_updates_after_a_roll_out_renew_the_contender_that_won(shop: SiteWorld) -> None:
    decide(shop.site, against="roll-out", reason="why not")
    close(shop, FIRST + 3)
    now = champion(shop.site)
    with transaction(shop.site.engine) as connection:
        assert versions.version(connection, now).contender == "rates"


def test_nobody_s_id_is_in_the_ledger(shop: SiteWorld) -> None:
    decide(shop.site, against="stop", reason="enough")
    uids = evidence_of(shop.site).people["uid"].to_list()
    text = json.dumps([entry.details for entry in told(shop.site)])
    assert not [uid for uid in uids if uid in text]


@pytest.mark.slow
def test_the_next_pilot_waits_for_a_day_of_its_own_and_a_stopped_one_is_never_started_again(shop: SiteWorld) -> None:
    stop(shop.site, None, "enough")
    with transaction(shop.site.engine) as connection:
        pilots.add(connection, "two", TERMS.model_dump(mode="json"), at=1)
    with pytest.raises(StateError, match="may still be answered"):
        start(shop.site, "two", 0.05)
    close(shop, FIRST + 3)
    with pytest.raises(StateError, match="may still be answered"):  # on the day after the last list
        start(shop.site, "two", 0.05)
    with transaction(shop.site.engine) as connection:
        connection.execute(tables.pilots.update().values(ended=tables.pilots.c.ended - DAY))
    assert start(shop.site, "two", 0.05).state == "running"
    with pytest.raises(StateError, match="is stopped"):
        ramp(shop.site, "one", 1.0)


def test_no_other_contender_is_promoted_by_hand_while_a_pilot_runs(shop: SiteWorld) -> None:
    newest = evidence_of(shop.site).versions["treatment"][-1]
    with pytest.raises(StateError, match="compares rates with stack"):
        promote(shop.site, newest)


def test_an_extension_moves_the_end_and_leaves_the_statistics(shop: SiteWorld) -> None:
    before = evidence_of(shop.site)
    extend(shop.site, None, 2)
    after = evidence_of(shop.site)
    assert after.days_left == before.days_left + 14
    assert after.terms.plan == before.terms.plan


def test_a_plan_from_a_past_that_is_too_short_or_too_small_says_what_it_needs(shop: SiteWorld) -> None:
    with pytest.raises(DataError, match="15 days\nExpected 21 or more"):
        plan(shop.site, "two")
    with pytest.raises(DataError, match="400 or more"):
        plan(shop.site, "two", options=PilotOptions.of(shop.site, window_days=2))
    with pytest.raises(ConfigError, match="one of rates"):
        plan(shop.site, "two", "stack")
    with pytest.raises(ConfigError, match="'sales'"):
        PilotOptions.of(shop.site, primary="sales")


def test_the_command_plans_from_the_past(shop: SiteWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 600  # people who clicked 0 to 3 times, each a past of their own
    past = pl.DataFrame(
        {
            "uid": [f"p{k}" for k in range(n)], "entered": [k * DAY // 40 for k in range(n)],
            "clicks": [float(k % 4) for k in range(n)], "returned": [float(k % 3 > 0) for k in range(n)],
            "active_days": [float(k % 5) for k in range(n)],
        }
    )  # fmt: skip
    monkeypatch.setattr("regraft.pilot.terms.past_people", lambda *_: past)
    said = CliRunner().invoke(app, ["pilot", "plan", str(shop.site.folder), "two", "--lift", "0.4"])
    assert said.exit_code == 0, said.output
    header = [part.strip() for part in said.output.splitlines()[1].split("  ") if part.strip()]
    assert header == [
        "weeks", "people per arm", "lift that can be seen", "margin of active_days", "margin of returned",
    ]  # fmt: skip
    with transaction(shop.site.engine) as connection:
        planned = Terms.model_validate(pilots.named(connection, "two").plan)
    assert " ".join(planned.designed.split()) in " ".join(said.output.split())
    assert planned.plan.n in [row["n"] for row in planned.curve]
    assert [type(row["n"]) for row in planned.curve] == [int] * len(planned.curve)


def test_the_command_tells_verdict_numbers_and_versions(shop: SiteWorld) -> None:
    said = CliRunner().invoke(app, ["pilot", "status", str(shop.site.folder)])
    assert said.exit_code == 0, said.output
    for words in ("Extend the pilot.", "clicks", "guardrail", "100% of the people", "Served to treatment: shop-v"):
        assert words in said.output
    as_json = CliRunner().invoke(app, ["pilot", "status", str(shop.site.folder), "--json"])
    found = json.loads(as_json.output)
    assert found["decision"] == "extend"
    assert [(day["day"], day["n_control"] + day["n_treatment"]) for day in found["by_exposure"]] == [(1, len(PEOPLE))]


def test_the_command_decides_and_says_so_by_its_exit_code(shop: SiteWorld) -> None:
    folder = str(shop.site.folder)
    waits = CliRunner().invoke(app, ["pilot", "decide", folder])
    assert (waits.exit_code, "Nothing was decided" in waits.output) == (10, True)
    done = CliRunner().invoke(app, ["pilot", "decide", folder, "--as", "roll-out", "--reason", "so"])
    assert (done.exit_code, "Rolled out: the champion is shop-v" in done.output) == (0, True)
