import json
from pathlib import Path

import pytest

from cli.door import regraft
from regraft.data.pseudonyms import VARIABLE
from regraft.data.spool import Spool
from regraft.release.checkup import Found, checkup
from regraft.release.update import update
from site_world import FIRST, SiteWorld


def problems(world: SiteWorld) -> list[Found]:
    return [one for one in checkup(world.site) if one.problem]


def test_a_sound_site_is_told_part_by_part(world: SiteWorld) -> None:
    Spool(world.site.spool / "events").append([{"pseudonym": "p"}])
    heard = regraft("doctor", "shop", at=world.folder)
    assert heard.code == 0, heard.out
    for words in ("migrations up to ", "the chain is whole", "1 of 1 are whole", "events: 1 segments", "All is well."):
        assert words in heard.out


def test_damaged_files_and_versions_are_named_and_exit_1(world: SiteWorld) -> None:
    site = world.site
    day = next(path for path in sorted(site.data.glob("*/*.parquet")) if path.parent.name != "items")
    day.write_bytes(day.read_bytes()[:-1])
    array = next((site.versions / "shop-v000001").rglob("*.npz"))
    array.write_bytes(b"")
    heard = regraft("doctor", "shop", "--json", at=world.folder)
    assert heard.code == 1
    found = {one["what"]: one["words"] for one in json.loads(heard.out) if one["problem"]}
    assert set(found) == {"data", "versions"}
    assert day.name in found["data"]
    assert "shop-v000001" in found["versions"]


def test_a_changed_ledger_is_a_problem_and_the_rest_is_looked_at_all_the_same(world: SiteWorld) -> None:
    with world.site.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE ledger SET details = '{}' WHERE id = 1")
    (found,) = problems(world)
    assert "entry 1" in found.words
    assert {one.what for one in checkup(world.site)} == {
        "database",
        "runs",
        "ledger",
        "data",
        "versions",
        "key",
        "spool",
        "erased",
    }


def test_another_key_one_that_all_can_read_and_one_inside_the_site_are_problems(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.folder / "vault.key"
    key.chmod(0o644)
    assert "chmod 600" in problems(world)[0].words
    for place in (world.folder / "other.key", world.folder / "shop" / "inside.key"):
        Path(place).write_text("ab" * 32)
        Path(place).chmod(0o600)
    monkeypatch.setenv(VARIABLE, str(world.folder / "other.key"))
    assert "the vault was filled under" in problems(world)[0].words
    monkeypatch.setenv(VARIABLE, str(world.folder / "shop" / "inside.key"))
    assert "lies inside the site" in problems(world)[0].words


def test_a_held_day_waits_for_a_person(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST])[:10])
    held = update(world.site)
    assert held.state == "held"
    assert [one.words.split(":")[0] for one in problems(world)] == [f"run {held.run} of {held.date} is held"]
