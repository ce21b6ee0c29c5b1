import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from regraft.data import store
from regraft.data.pseudonyms import load_key
from regraft.data.spool import Spool, read, segments
from regraft.errors import DataError
from regraft.privacy import certificate
from regraft.privacy.forget import _Forgetting, foresee, forget
from regraft.privacy.rewrite import without_person
from regraft.privacy.scan import scan
from regraft.release.init import first_close
from regraft.release.update import update
from regraft.setup.site import Site
from regraft.state import erasures, files, lease, tables, vault, versions
from regraft.state.database import transaction
from regraft.state.tables import alias_history, aliases, periods, runs
from site_world import FIRST, SiteWorld


def uid_of(site: Site, user: str) -> str:
    key = load_key(site.folder)
    with transaction(site.engine) as connection:
        return next(iter(vault.uids(connection, key.pseudonyms([user]), key.id).values()))


def by_rows(world: SiteWorld) -> list[str]:
    """People of the first days, few rows first."""
    return world.of(*world.days[:FIRST])["user_id"].value_counts().sort("count", "user_id")["user_id"].to_list()


def champion(site: Site) -> versions.Version:
    with transaction(site.engine) as connection:
        return versions.version(connection, versions.alias(connection, "champion").version)


def weights(site: Site) -> dict[str, bytes]:
    """Bytes of the champion's files by name."""
    folder = site.versions / champion(site).name / "contender"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    "place",
    [pytest.param(0.05, id="few"), pytest.param(0.5, id="some", marks=pytest.mark.slow), pytest.param(1.0, id="many")],
)
def test_a_person_is_gone_from_every_file_and_the_model_is_that_of_a_world_without_them(
    world: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: float
) -> None:
    people = by_rows(world)
    user = people[round(place * (len(people) - 1))]
    uid = uid_of(world.site, user)
    twin = world.copied(tmp_path / "twin")
    for one in (world, twin):
        one.ingest(one.of(one.days[FIRST]))
        if one is twin:
            never_there(one.site, uid)
        update(one.site)
    assert scan(world.site, [uid])["data"] > 0
    (path,) = forget(world.site, [user])
    assert weights(world.site) == weights(twin.site)
    assert champion(world.site).lineage["remade_from"] == "shop-v000002"
    found = scan(world.site, [uid, *load_key(world.site.folder).pseudonyms([user])])
    assert {name: n for name, n in found.items() if name != "state"} == dict.fromkeys(
        ("data", "versions", "cache", "spool", "reports"), 0
    )
    with transaction(world.site.engine) as connection:
        assert erasures.erased(connection) == {uid}
        assert erasures.open_ones(connection) == []
    said = certificate.check(path)
    assert said["removed"]["rows"] == len(world.of(*world.days[: FIRST + 1]).filter(pl.col("user_id") == user))
    with pytest.raises(DataError, match="is not known"):
        foresee(world.site, user)


def never_there(site: Site, uid: str) -> None:
    """Makes the site what it would be had the person's rows never been there: the first close is done without them."""
    with transaction(site.engine) as connection:
        listed = [f for f in files.listed(connection) if f.day != store.ITEMS]
        closed = connection.execute(periods.select().where(periods.c.run == 1).order_by(periods.c.number)).all()
        for table in (alias_history, aliases, tables.versions, periods, runs, tables.ledger):
            connection.execute(table.delete())
    shutil.rmtree(site.versions)
    site = Site.open(site.folder)
    with lease.holding(site.engine, site.lease_name) as held:
        without_person(site, held, listed, uid)
        first_close(site, held, ([row.begins for row in closed], closed[-1].ends))


def test_what_an_erasure_would_do_is_said_before_it_is_done(world: SiteWorld) -> None:
    user = by_rows(world)[-1]
    said = foresee(world.site, user)
    assert said.rows == len(world.of(*world.days[:FIRST]).filter(pl.col("user_id") == user))
    assert (said.exposed, dict(said.remade)) == (("shop-v000001",), {"shop-v000001": ("champion",)})
    assert said.seconds > 0
    assert foresee(world.site, user) == said  # nothing was changed


STEPS = ("blocked", "data", "traces", "served", "destroyed", "remade", "done")


@pytest.mark.parametrize("step", [s if s == "data" else pytest.param(s, marks=pytest.mark.slow) for s in STEPS])
def test_an_erasure_killed_at_a_step_ends_where_an_unbroken_one_ends(
    world: SiteWorld, tmp_path: Path, step: str
) -> None:
    user = by_rows(world)[3]
    twin = world.copied(tmp_path / "twin")
    command = [sys.executable, "-m", "regraft", "forget", str(world.folder / "shop"), user]
    killed = subprocess.run(command, env={**os.environ, "REGRAFT_CRASH_AFTER": step}, capture_output=True, timeout=120)
    assert killed.returncode == -9, killed.stderr
    forget(world.site, [] if step != "blocked" else [user])
    forget(twin.site, [user])
    assert weights(world.site) == weights(twin.site)
    listed = []
    for site in (world.site, twin.site):
        state = champion(site).state
        with transaction(site.engine) as connection:
            listed.append(([f.sha256 for f in files.listed(connection)], state, vault.everybody(connection)))
    assert listed[0] == listed[1]
    assert {p.name for p in (world.site.data).rglob("*.parquet")} == {p.name for p in twin.site.data.rglob("*.parquet")}


def test_a_certificate_that_was_changed_or_signed_by_another_is_refused(world: SiteWorld) -> None:
    (path,) = forget(world.site, [by_rows(world)[0]])
    text = path.read_text()
    path.write_text(text.replace('"code"', '"kode"'))
    with pytest.raises(DataError, match="does not bear its signature"):
        certificate.check(path)


def test_what_a_server_accepts_before_it_hears_of_an_erasure_is_gone_at_its_end(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, user = world.site, by_rows(world)[3]
    (pseudonym,) = load_key(site.folder).pseudonyms([user])
    late, served = Spool(site.spool / "events"), _Forgetting._serve_another

    def serve_another(self: _Forgetting) -> dict[str, Any]:
        late.append([{"event_id": "late", "pseudonym": pseudonym, "item_id": "i01", "time": 1, "event": "click"}])
        late.finish()
        return served(self)

    monkeypatch.setattr(_Forgetting, "_serve_another", serve_another)
    (path,) = forget(site, [user])
    assert not [row for segment in segments(site.spool / "events") for row in read(segment)]
    content = json.loads(path.read_text())["content"]
    assert content["spooled_lines"] == 1
    assert set(content["files_that_still_hold_the_person"].values()) == {0}
