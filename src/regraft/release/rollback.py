"""Undoing: the champion's alias goes back, and with `batch` the rows that the newer version came from leave with it."""

from __future__ import annotations

from sqlalchemy import Connection

from regraft.errors import StateError
from regraft.release.arrivals import batches_since
from regraft.release.runs import now
from regraft.said import Said
from regraft.setup.manifest import verify
from regraft.setup.site import Site
from regraft.state import compactions, files, lease, versions
from regraft.state.database import transaction
from regraft.state.versions import Alias


def rollback(site: Site, to: str | None = None, batch: bool = False, alias: str = "champion") -> Alias:
    """Points the alias to an earlier version: `to`, or the one before. Running servers follow within a second.

    With `batch`, the batches with rows that this version has not seen are out of use from now on: they are in no
    fact, no neighbour and no later close.

    Raises StateError where nothing would change, ModelError where the version's files are damaged.
    """
    with lease.holding(site.engine, site.lease_name) as held, transaction(site.engine) as connection:
        lease.demand(connection, held)
        now_at = versions.alias(connection, alias)
        target = versions.version(connection, to) if to else _before(connection, site, now_at)
        if target.state != "good":
            raise StateError(
                "version '{version}'", "is {state}", "a version that is good",
                version=target.name, state=Said(target.state),
            )  # fmt: skip
        verify(site.versions / target.name, target.manifest)
        gone = batches_since(site, connection, target.cut) if batch else []
        compactions.demand_apart(connection, gone)
        files.set_state(connection, gone, files.ROLLED_BACK)
        return versions.point(connection, alias, target.name, "rolled back", {"batches": gone}, now())


def _before(connection: Connection, site: Site, now_at: Alias | None) -> versions.Version:
    """The version that the alias pointed to before the one it points to now; destroyed ones are passed over."""
    left = {v.name for v in versions.listed(connection) if v.state != versions.DESTROYED}
    earlier = [a.version for a in versions.history(connection, now_at.name) if a.version in left] if now_at else []
    while earlier and now_at and earlier[-1] == now_at.version:
        earlier.pop()
    if not earlier:
        raise StateError(
            "site '{site}'", "there is no earlier version to go back to", "an alias that was moved before",
            "See what there is with: regraft versions {site}", site=site.folder,
        )  # fmt: skip
    return versions.version(connection, earlier[-1])
