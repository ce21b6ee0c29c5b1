"""What the gate holds, and what was skipped or rolled back, is in nothing that anybody learns from or is shown."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from cli.door import regraft
from regraft.errors import StateError
from regraft.release.held import skip
from regraft.release.rollback import rollback
from regraft.release.update import catch_up, update
from regraft.serving.candidates.protocol import Snapshot
from regraft.setup.site import Site
from regraft.state import files, ledger, versions
from regraft.state.database import transaction
from regraft.state.tables import batches, runs
from regraft.testing.faults import half_day, label_flip
from regraft.workbench import Workbench
from site_world import FIRST, SiteWorld

RNG = np.random.default_rng(0)


def served(site: Site) -> tuple[int, set[str], dict[str, float]]:
    """(rows, items of the catalogue, facts of the first item) as a server that starts now knows them."""
    with transaction(site.engine) as connection:
        cuts = site.cuts(connection)
    stream, catalogue = site.stream(cuts), site.catalogue()
    live = Workbench(site, stream).live(stream, catalogue)
    facts = live.request("somebody", [catalogue["item_id"][0]], live.now).facts
    assert Snapshot(stream, catalogue).stream is stream
    return len(stream.time), set(catalogue["item_id"]), facts.row(0, named=True)


def states(site: Site) -> list[str]:
    with transaction(site.engine) as connection:
        return [row.state for row in connection.execute(select(batches).order_by(batches.c.id))]


def with_new_item(world: SiteWorld, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, the first one of an item that nobody has seen; the item file has it too."""
    world.items = pl.concat([world.items, world.items.head(1).with_columns(item_id=pl.lit("planted"))])
    first = pl.int_range(pl.len()) == 0
    return rows.with_columns(item_id=pl.when(first).then(pl.lit("planted")).otherwise("item_id"))


def test_a_held_batch_is_in_no_fact_and_no_catalogue_until_it_is_accepted(world: SiteWorld) -> None:
    before = served(world.site)
    world.ingest(with_new_item(world, label_flip(world.of(world.days[FIRST]), RNG)))
    held = update(world.site)
    assert held.state == "held"
    assert states(world.site) == ["accepted", "held"]
    assert served(world.site) == before
    update(world.site, accept=held.run)
    assert states(world.site) == ["accepted", "accepted"]
    rows, items, facts = served(world.site)
    assert rows == before[0] + len(world.of(world.days[FIRST]))
    assert items == before[1] | {"planted"}
    assert facts != before[2]


def test_a_skipped_batch_is_out_for_good(world: SiteWorld) -> None:
    before = served(world.site)
    world.ingest(with_new_item(world, label_flip(world.of(world.days[FIRST]), RNG)))
    held = update(world.site)
    skip(world.site, held.run)
    assert states(world.site) == ["accepted", "skipped"]
    assert served(world.site) == before


def test_a_rolled_back_batch_is_in_nothing_that_is_served(world: SiteWorld) -> None:
    before = served(world.site)
    world.ingest(with_new_item(world, world.of(world.days[FIRST])))
    update(world.site)
    assert served(world.site)[1] == before[1] | {"planted"}
    rollback(world.site, "shop-v000001", batch=True)
    assert states(world.site) == ["accepted", "rolled back"]
    assert served(world.site) == before
    world.ingest(world.of(world.days[FIRST + 1]))
    assert update(world.site).state == "promoted"


def test_a_held_day_is_judged_anew_when_the_rest_of_its_rows_comes(world: SiteWorld) -> None:
    day = world.of(world.days[FIRST])
    world.ingest(half_day(day, RNG), "half")
    held = update(world.site)
    assert {f.check for f in held.findings if f.outcome == "hold"} == {"missing-hours"}
    with pytest.raises(StateError, match="waits for a person"):
        update(world.site)
    world.ingest(day, "whole")
    with pytest.raises(StateError, match="has other rows by now"):
        update(world.site, accept=held.run)
    done = update(world.site)
    assert (done.state, done.date) == ("promoted", held.date)
    with transaction(world.site.engine) as connection:
        assert [row.state for row in connection.execute(select(runs).order_by(runs.c.id))] == [
            "promoted", "superseded", "promoted",
        ]  # fmt: skip
    with pytest.raises(StateError, match="is not held"):
        skip(world.site, held.run)


def test_catch_up_stops_at_a_held_day_and_goes_on_once_it_is_skipped(world: SiteWorld) -> None:
    clean, bad, later = (world.of(day) for day in world.days[FIRST : FIRST + 3])
    world.ingest(pl.concat([clean, label_flip(bad, RNG), later]), "three-days")
    assert states(world.site) == ["accepted"] * 4  # one batch for every day that is open
    done = catch_up(world.site, None)
    assert [(one.date, one.state) for one in done] == [(world.days[FIRST], "promoted"), (world.days[FIRST + 1], "held")]
    skip(world.site, done[-1].run)
    (last,) = catch_up(world.site, None)
    assert (last.date, last.state) == (world.days[FIRST + 2], "promoted")
    assert states(world.site) == ["accepted", "accepted", "skipped", "accepted"]
    with transaction(world.site.engine) as connection:
        assert [f.day for f in files.listed(connection, world.days[FIRST:])] == [
            world.days[FIRST],
            world.days[FIRST + 2],
        ]
        promoted = [e.details["date"] for e in ledger.entries(connection) if e.kind == "promoted"]
        assert len(versions.listed(connection)) == 3
    assert len(promoted) == len(set(promoted))  # a day promotes once


def test_late_rows_of_a_held_day_are_held_with_it(world: SiteWorld) -> None:
    yesterday = world.of(world.days[FIRST - 1]).head(200).with_columns(user_id=pl.col("user_id") + "b")
    world.ingest(yesterday, "late")
    world.ingest(world.of(world.days[FIRST]))
    before = served(world.site)
    held = update(world.site)
    assert {f.check for f in held.findings if f.outcome == "hold"} == {"late-rows"}
    assert states(world.site) == ["accepted", "held", "held"]
    skip(world.site, held.run)
    assert served(world.site) == before


def test_the_decision_on_a_day_is_printed_with_its_reasons_and_told_as_json(world: SiteWorld) -> None:
    world.ingest(label_flip(world.of(world.days[FIRST]), RNG))
    dry = regraft("update", "shop", "--dry-run", at=world.folder)
    assert (dry.code, "would be held for a person, because of label-share (" in dry.out) == (0, True)
    told = regraft("update", "shop", "--json", at=world.folder)
    findings = {one["check"]: one for one in json.loads(told.out)["findings"]}
    assert (told.code, findings["label-share"]["outcome"]) == (30, "hold")
    assert findings["label-share"]["values"]["deviations"] > 6
    skipped = regraft("update", "shop", "--skip", json.loads(told.out)["run"], at=world.folder)
    assert (skipped.code, skipped.out.splitlines()[-1].endswith("skipped: nothing has learnt from it")) == (0, True)
