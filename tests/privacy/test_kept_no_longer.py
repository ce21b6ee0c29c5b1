"""People and versions of whom, and of which, rows were kept no longer."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from privacy.test_forget import by_rows, champion
from regraft.errors import RegraftError
from regraft.privacy.forget import foresee, forget, forget_waiting
from regraft.release.rollback import rollback
from regraft.release.update import update
from regraft.setup.site_options import FILE
from regraft.state import versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld


@pytest.fixture
def returned(world: SiteWorld) -> tuple[SiteWorld, str]:
    """The busiest person stayed away until none of their rows was left, and came back on the last day."""
    path = world.folder / "shop" / FILE
    path.write_text(path.read_text() + "\nretention: {rows: {keep: 2d, purpose: a test}}\nholdout: 0.1\n")
    site, user = world.site, by_rows(world)[-1]
    with transaction(site.engine) as connection:
        versions.point(connection, "holdout", "shop-v000001", "holdout", {}, 1)
    for day in world.days[FIRST : FIRST + 4]:
        rows = world.of(day)
        rows = rows.filter(pl.col("user_id") != user)
        if day == world.days[FIRST + 3]:
            rows = pl.concat([rows, rows.head(1).with_columns(user_id=pl.lit(user), line=pl.lit(10**6, pl.Int64))])
        world.ingest(rows)
        done = update(world.site)
        if done.state == "held":
            update(world.site, accept=done.run)
    return world, user


def test_every_version_older_than_rows_that_left_is_destroyed_with_a_person(returned: tuple[SiteWorld, str]) -> None:
    world, user = returned
    site = world.site
    with transaction(site.engine) as connection:
        known = [v.name for v in versions.listed(connection)]
    assert foresee(site, user).exposed == tuple(known)
    (proof,) = forget(site, [user])
    content = json.loads(Path(proof).read_text())["content"]
    assert content["destroyed"] == known
    assert content["retrained"] == {}  # the gate had refused those of the rows that are left
    assert champion(site).contender == "popularity"  # of the rows that are left
    with pytest.raises(RegraftError):
        rollback(site, "shop-v000001")


def test_an_alias_whose_version_cannot_be_made_again_points_to_one_that_serves(
    returned: tuple[SiteWorld, str],
) -> None:
    world, user = returned
    said: list[str] = []
    forget(world.site, [user], said.append)
    with transaction(world.site.engine) as connection:
        holdout = versions.alias(connection, "holdout")
    assert holdout is not None and holdout.version == champion(world.site).name
    assert any("shop-v000001 cannot be made again" in line for line in said)
    assert forget_waiting(world.site) == []  # nothing hinders the next update
