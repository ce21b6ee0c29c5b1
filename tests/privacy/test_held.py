"""What is held on a person is said to them, wherever it lies."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from regraft.cli.main import app
from regraft.data.pseudonyms import load_key
from regraft.privacy.forget import forget
from regraft.privacy.held import held_on
from regraft.privacy.objection import object_to
from regraft.release.blocked import block
from regraft.serving.service import Service
from site_world import FIRST, SiteWorld


def test_all_that_is_held_on_a_person_is_in_one_readable_document(world: SiteWorld) -> None:
    site, user = world.site, "u003"
    service = Service(site)
    listed = service.recommend(user, 3)
    service.take([{"user_id": user, "item_id": listed.items[0].item, "event": "click"}])
    service.stop()
    object_to(site, user)
    block(site, user)
    (pseudonym,) = load_key(site.folder).pseudonyms([user])
    (site.spool / "aside" / "day.csv").write_text(f"log,7,bad-time,{user}::i01::5::soon\nlog,8,bad-time,{user}4::i02\n")
    (site.reports / "arena").mkdir()
    (site.reports / "arena" / "scores.csv").write_text(pseudonym)
    held = held_on(site, user)
    rows = world.of(*world.days[:FIRST]).filter(pl.col("user_id") == user)
    assert sorted(row["item_id"] for row in held["rows"]) == sorted(rows["item_id"])
    assert all(row["title"] and row["rows_are"] == "accepted" for row in held["rows"])
    assert [len(one["titles"]) for one in held["served_lists"]] == [3]
    assert [one["event"] for one in held["spooled_events"]] == ["click"]
    assert held["set_aside"] == [f"log,7,bad-time,{user}::i01::5::soon"]
    assert held["objects_since"] and [one["last_step"] for one in held["erasures"]] == ["blocked"]
    assert [one["version"] for one in held["versions_that_saw_them"]] == ["shop-v000001"]
    assert held["other_files"] == ["reports/arena/scores.csv"]
    json.dumps(held, allow_nan=False)


def test_of_whom_nothing_is_held_that_is_said(world: SiteWorld) -> None:
    done = CliRunner().invoke(app, ["export-person", str(world.site.folder), "nobody"])
    said = json.loads(done.stdout)
    assert said.pop("person") == "nobody" and said.pop("pseudonym")
    assert not any(said.values())


@pytest.mark.slow
def test_after_an_erasure_nothing_is_held_but_that_there_was_one(world: SiteWorld) -> None:
    forget(world.site, ["u003"])
    held = held_on(world.site, "u003")
    assert not any(value for name, value in held.items() if name not in ("person", "pseudonym"))
