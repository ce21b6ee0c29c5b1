"""Who objects is served from their own history, and is no target, neighbour or fact of anybody else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from regraft.data import store
from regraft.data.pseudonyms import load_key
from regraft.errors import DataError
from regraft.privacy.forget import forget
from regraft.privacy.objection import object_to, take_back
from regraft.privacy.rewrite import without_person
from regraft.release.update import update
from regraft.serving.service import Service
from regraft.setup.site import Site
from regraft.state import files, lease, ledger, objections, vault, versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld


def uid_of(site: Site, user: str) -> str:
    key = load_key(site.folder)
    with transaction(site.engine) as connection:
        return next(iter(vault.uids(connection, key.pseudonyms([user]), key.id).values()))


def weights(site: Site) -> dict[str, bytes]:
    with transaction(site.engine) as connection:
        champion = versions.alias(connection, "champion")
    folder = site.versions / champion.version / "contender"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def busy(world: SiteWorld) -> str:
    return world.of(*world.days[: FIRST + 1])["user_id"].value_counts().sort("count", "user_id")["user_id"][-1]


@pytest.fixture
def twin(world: SiteWorld, tmp_path: Path) -> SiteWorld:
    """The same site, from which all rows of the busiest person were taken before the next close."""
    twin = world.copied(tmp_path / "twin")
    for one in (world, twin):
        one.ingest(one.of(one.days[FIRST]))
    uid, site = uid_of(twin.site, busy(world)), twin.site
    with lease.holding(site.engine, site.lease_name) as held, transaction(site.engine) as connection:
        listed = [f for f in files.listed(connection) if f.day != store.ITEMS]
    with lease.holding(site.engine, site.lease_name) as held:
        without_person(site, held, listed, uid)
    return twin


def test_the_next_version_and_the_answers_to_others_are_those_of_a_world_without_the_person(
    world: SiteWorld, twin: SiteWorld
) -> None:
    person = busy(world)
    assert object_to(world.site, person)
    for one in (world, twin):
        assert update(one.site).state == "promoted"
    assert weights(world.site) == weights(twin.site)
    ours, theirs = Service(world.site), Service(twin.site)
    items = world.items["item_id"].to_list()
    others = [u for u in world.rows["user_id"].unique(maintain_order=True).to_list() if u != person][:20]
    at = ours.live.now + 3_600_000
    click = {"user_id": person, "item_id": items[0], "event": "view", "value": 5.0, "time": at}
    ours.take([click])  # what the person does today is nobody else's fact either
    for user in others:
        assert np.array_equal(ours.score(user, items, at + 1000)[1], theirs.score(user, items, at + 1000)[1])
    own = world.of(*world.days[: FIRST + 1]).filter(pl.col("user_id") == person)["item_id"]
    served = {i.item for i in ours.recommend(person, 50, at + 1000).items}
    assert served and not served & {items[0], *own}  # what they know is not shown to them again
    assert not np.array_equal(ours.score(person, items, at + 1000)[1], theirs.score(person, items, at + 1000)[1])
    assert len(ours.live.history(uid_of(world.site, person))) == len(own) + 1


def test_an_objection_is_written_down_once_and_can_be_taken_back(world: SiteWorld) -> None:
    site = world.site
    assert object_to(site, "somebody new")
    assert not object_to(site, "somebody new")
    assert take_back(site, "somebody new")
    assert not take_back(site, "somebody new")
    with pytest.raises(DataError, match="is not known"):
        take_back(site, "never seen")
    with transaction(site.engine) as connection:
        assert [e.kind for e in ledger.entries(connection)][-2:] == ["objected", "objection taken back"]


@pytest.mark.slow
def test_who_is_erased_objects_no_longer(world: SiteWorld) -> None:
    site, person = world.site, busy(world)
    object_to(site, person)
    forget(site, [person])
    with transaction(site.engine) as connection:
        assert objections.objecting(connection) == {}


def test_a_base_model_of_the_warm_up_is_found_again_when_somebody_objects(world: SiteWorld) -> None:
    site = world.site
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    before = site.stream(cuts)
    object_to(site, busy(world))
    assert len(site.stream(cuts).warm_up()) < len(before.warm_up())
    assert site.base_stream(site.stream(cuts)).warm_up().fingerprint == before.warm_up().fingerprint
