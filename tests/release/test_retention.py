"""A canary person and a canary title are planted; then the policy is applied and every file of the site is searched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from regraft.data import spool, store
from regraft.data.pseudonyms import load_key
from regraft.errors import ConfigError, DataError
from regraft.privacy.forget import forget
from regraft.privacy.scan import scan
from regraft.release import retention
from regraft.release.recovery import working
from regraft.release.runs import day_ms
from regraft.release.update import update
from regraft.serving.service import Service
from regraft.setup.site import DAY, Site
from regraft.state import files, ledger, vault, versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

PERSON, ITEM, TITLE = "canary-person", "canary-item", "Quixotic Zyzzyva"
STORES = ("data", "versions", "cache", "spool", "reports", "state")


def keep(site: Site, **stores: str) -> Site:
    """The site with these maximum ages."""
    path = site.folder / "regraft.yaml"
    options = yaml.safe_load(path.read_text())
    options["retention"] = {name: {"keep": age} for name, age in stores.items()}
    path.write_text(yaml.safe_dump(options))
    return Site.open(site.folder)


def applied(site: Site, day: str) -> dict[str, int]:
    """What was let go of, by unit."""
    with working(site, "retention") as held:
        return {one.unit: one.count for one in retention.apply(site, held, day_ms(day)) if one.count}


def planted(world: SiteWorld) -> list[str]:
    """The strings to look for, after a person and an item that nobody else knows have left traces in every store."""
    first = datetime.fromisoformat(world.days[1]).replace(tzinfo=UTC, hour=12)
    row = world.of(world.days[1]).head(1)
    row = row.with_columns(pl.lit(first).cast(row.schema["timestamp"]).alias("timestamp"), user_id=pl.lit(PERSON))
    rows = pl.concat([row.with_columns(item_id=pl.lit(one)) for one in (ITEM, world.items["item_id"][0])])
    new = world.items.head(1).with_columns(item_id=pl.lit(ITEM), title=pl.lit(TITLE))
    SiteWorld(world.folder, world.rows, pl.concat([world.items, new])).ingest(rows, "canary")
    world.ingest(world.of(world.days[FIRST]))
    site = world.site
    assert update(site).state == "promoted"  # it has learnt from them
    key = load_key(site.folder)
    (pseudonym,) = key.pseudonyms([PERSON])
    with transaction(site.engine) as connection:
        uid = vault.uids(connection, [pseudonym], key.id)[pseudonym]
    at = round(first.timestamp() * 1000)
    line = {"event_id": "e1", "pseudonym": pseudonym, "item_id": ITEM, "time": at, "event": "view", "value": None}
    for kind in ("events", "lists"):
        writer = spool.Spool(site.spool / kind)
        writer.append([line | {"request_id": "r1", "items": [ITEM], "arm": "champion", "version": "v"}])
        writer.close()
    derived = ("cache/work/kept/scores", "spool/aside/day.csv", "reports/arena/scores.csv", "versions/.staging/x/y")
    for place in derived:
        path = site.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{uid},{PERSON},{TITLE}")
    log = site.reports / "log" / f"{world.days[1]}.jsonl"
    log.write_text(f'{{"step":"{uid}"}}\n')
    for path in site.folder.rglob("*"):
        os.utime(path, (time.time() - 40 * 86400,) * 2)
    return [PERSON, uid, pseudonym, ITEM, TITLE, TITLE.split()[1].lower()]


def test_what_was_kept_too_long_is_in_no_file_and_no_memory(world: SiteWorld) -> None:
    wanted = planted(world)
    found = scan(world.site, wanted)
    assert all(found[name] for name in STORES), found
    site = keep(world.site, rows="6d", items="1d", spool="6d", versions="0d", aside="1d", cache="1d", reports="1d")
    service = Service(site)
    assert strings_of(service) & set(wanted)
    world.ingest(world.of(world.days[FIRST + 1]))
    assert update(site).state == "promoted"
    service.look()
    assert not strings_of(service) & set(wanted)
    world.ingest(world.of(world.days[FIRST + 2]))
    assert update(site).state == "promoted"  # the version that saw them is in use no longer
    assert scan(site, wanted) == dict.fromkeys(STORES, 0)
    with transaction(site.engine) as connection:
        kinds = [entry.kind for entry in ledger.entries(connection)]
    assert kinds.count("retention") == 2


def strings_of(service: Service) -> set[str]:
    """All strings in what a service holds: its own objects, containers, frames and arrays, as deep as they go."""
    found: set[str] = set()
    seen, left = set(), [service]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, str):
            found.add(one)
        elif isinstance(one, pl.DataFrame):
            left += one.get_columns()
        elif isinstance(one, pl.Series):
            found |= set(one.drop_nulls().to_list()) if one.dtype == pl.String else set()
        elif isinstance(one, np.ndarray):
            found |= set(one.ravel().tolist()) if one.dtype.kind == "U" else set()
        elif isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list | tuple | set | frozenset | deque):
            left += one
        elif type(one).__module__.startswith(("regraft", "sklearn")):
            left.append(getattr(one, "__dict__", {}))
    return found


def test_rows_leave_by_whole_days_and_a_second_run_finds_nothing(world: SiteWorld) -> None:
    site, day = keep(world.site, rows="3d"), world.days[FIRST]
    assert applied(site, day)["rows"] == len(world.of(*world.days[: FIRST - 3]))
    with transaction(site.engine) as connection:
        days = {f.day for f in files.listed(connection) if f.day != store.ITEMS}
    assert days == set(world.days[FIRST - 3 : FIRST])
    assert applied(site, day) == {}
    assert {path.parent.name for path in site.data.glob("*-*/*")} == days


def test_a_dry_run_changes_nothing_and_tell_deletes_nothing(world: SiteWorld) -> None:
    site = keep(world.site, rows="3d")
    at = day_ms(world.days[FIRST])
    assert retention.due(site, at) == retention.due(site, at)
    path = site.folder / "regraft.yaml"
    path.write_text(path.read_text().replace("keep: 3d", "keep: 3d\n    action: tell"))
    before = sorted(site.data.rglob("*"))
    assert applied(Site.open(site.folder), world.days[FIRST])["rows"] > 0
    assert sorted(site.data.rglob("*")) == before


STEPS = ("retain", "let go", "cleaned")


@pytest.mark.parametrize("step", [s if s == "let go" else pytest.param(s, marks=pytest.mark.slow) for s in STEPS])
def test_a_killed_run_ends_where_an_unbroken_one_ends(world: SiteWorld, step: str) -> None:
    site, day = keep(world.site, rows="3d", aside="1d"), world.days[FIRST]
    command = [sys.executable, "-m", "regraft", "retention", "apply", str(site.folder), "--as-of", day]
    killed = subprocess.run(command, env={**os.environ, "REGRAFT_CRASH_AFTER": step}, capture_output=True, timeout=120)
    assert killed.returncode == -9, killed.stderr
    applied(site, day)
    with transaction(site.engine) as connection:
        listed = {f.name for f in files.listed(connection)}
        entries = [entry for entry in ledger.entries(connection) if entry.kind == "retention"]
    assert {str(path.relative_to(site.data)) for path in site.data.glob("*/*")} == listed
    assert {name.split("/")[0] for name in listed} == {*world.days[FIRST - 3 : FIRST], "items"}
    assert len(entries) == 1


def test_a_site_of_an_old_log_is_let_go_of_only_when_that_is_said(world: SiteWorld) -> None:
    site = keep(world.site, rows="30d")
    with pytest.raises(DataError, match="all would go"):
        retention.demand_rows_left(site, round(time.time() * 1000) + 10_000 * DAY)
    retention.demand_rows_left(site, day_ms(world.days[FIRST]))


@pytest.mark.slow
def test_versions_in_use_stay_and_others_go(world: SiteWorld) -> None:
    for day in world.days[FIRST : FIRST + 2]:
        world.ingest(world.of(day))
        update(world.site)
    site = keep(world.site, versions="1d")
    assert applied(site, "2100-01-01")["versions"] == 2
    with transaction(site.engine) as connection:
        states = [v.state for v in versions.listed(connection)]
    assert states == ["destroyed", "destroyed", "good"]
    assert sorted(p.name for p in site.versions.glob("shop-*")) == ["shop-v000003"]


def test_the_yaml_that_init_writes_says_all_of_it(world: SiteWorld) -> None:
    said = yaml.safe_load(Path(world.site.folder / "regraft.yaml").read_text())["retention"]
    assert said["rows"]["keep"] == "forever" and said["spool"]["keep"] == "90d"
    assert all(one["purpose"] for one in said.values())


@pytest.mark.slow
def test_a_person_can_be_erased_after_rows_have_left(world: SiteWorld) -> None:
    site = keep(world.site, rows="5d")
    world.ingest(world.of(world.days[FIRST]))
    assert update(site).state == "promoted"
    (proof,) = forget(site, [world.of(world.days[FIRST])["user_id"][0]])
    assert proof.is_file()
    world.ingest(world.of(world.days[FIRST + 1]))
    assert update(site).state == "promoted"


def test_rows_that_a_base_model_was_built_from_do_not_leave_unsaid(world: SiteWorld) -> None:
    site = keep(world.site, rows="3d")
    path = site.folder / "regraft.yaml"
    path.write_text(path.read_text().replace("use: stack", "use: fine-tune"))
    with pytest.raises(ConfigError, match="the base model was built from"):
        retention.due(Site.open(site.folder), day_ms(world.days[FIRST]))


def test_rows_that_are_only_told_of_stay_with_their_items_and_hinder_nothing(world: SiteWorld) -> None:
    path = world.site.folder / "regraft.yaml"
    options = yaml.safe_load(path.read_text())
    options["retention"] = {"rows": {"keep": "30d", "action": "tell"}, "items": {"keep": "30d"}}
    options["challengers"] = [{"use": "fine-tune"}]  # on a base model that is built from the rows
    path.write_text(yaml.safe_dump(options))
    last = datetime.fromisoformat(world.days[-1]).replace(tzinfo=UTC)
    told = applied(world.site, f"{last + timedelta(days=40):%Y-%m-%d}")
    assert told["rows"] == len(world.of(*world.days[:FIRST]))
    assert set(world.of(*world.days[:FIRST])["item_id"]) <= set(world.site.catalogue()["item_id"])
