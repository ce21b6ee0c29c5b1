"""Versions outside of an update: one that is made again, and one to serve while that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from regraft import __version__
from regraft.release import close
from regraft.release.runs import now
from regraft.setup.config import ContenderOptions
from regraft.setup.manifest import publish
from regraft.setup.site import Site
from regraft.state import lease, versions
from regraft.state.database import transaction
from regraft.state.lease import Lease
from regraft.state.versions import Alias, Version
from regraft.workbench import Workbench

POPULARITY = ContenderOptions(use="popularity")


def publish_remade(
    site: Site, held: Lease, old: Version, staged: Path, took: Mapping[str, Any], aliases: Iterable[str],
    also: Callable[[Connection, str], object],
) -> str:  # fmt: skip
    """Gives what was made in the place of `old` a name of its own and moves these aliases to it, in one transaction.

    `also` is called inside the transaction with the new name.
    """
    lineage = {**old.lineage, **took, "remade_from": old.name, "code": __version__}
    with transaction(site.engine) as connection:
        number = versions.next_number(connection)
    name = versions.version_name(site.options.name, number)
    manifest = publish(staged, site.versions / name, {"lineage": lineage})
    made = Version(name, number, old.contender, old.run, old.cut, manifest, lineage, "good", now())
    with transaction(site.engine) as connection:
        lease.demand(connection, held)
        versions.add(connection, made)
        for alias in aliases:
            versions.point(connection, alias, name, "remade", {"instead_of": old.name}, now())
        also(connection, name)
    return name


def fallback(site: Site, held: Lease, alias: Alias, but: Set[str], tell: Callable[[str], object] = str) -> str:
    """Moves the champion's alias to the newest good version that is not among `but`; else to popularity, made anew."""
    with transaction(site.engine) as connection:
        left = [v for v in versions.listed(connection) if v.state == "good" and v.name not in but]
        old = versions.version(connection, alias.version)
    if left:
        with transaction(site.engine) as connection:
            lease.demand(connection, held)
            versions.move(connection, alias.name, left[-1].name, alias.version, "fell back", {}, now())
        return left[-1].name
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    number = len(cuts.starts)
    staging = site.staging / f"fallback-{alias.epoch}"
    took = close.renew(Workbench(site, site.stream(cuts)), [close.Work(POPULARITY)], number, staging, tell)
    as_if = Version(
        old.name, old.number, POPULARITY.label, old.run, cuts.end, "",
        {
            **old.lineage, "contender": POPULARITY.model_dump(mode="json"), "parent": None, "closes": [number],
            close.SECONDS_ALL: took[POPULARITY.label]["seconds"],
        }, "good", 0,
    )  # fmt: skip
    label = POPULARITY.label
    return publish_remade(site, held, as_if, staging / label, took[label], [alias.name], lambda *_: None)
