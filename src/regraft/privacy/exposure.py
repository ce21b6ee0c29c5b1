"""Which versions saw a person: all whose cut lies behind the first moment at which any of the person's rows was known.

Plain counts, neighbour sums, heads and adapters of everybody hold the person's rows, and so does a base model that
was built from the warm-up: its cut is not later than that of any version on it. A version goes on from its parents,
whose cuts are earlier still, so the rule is closed over lineage. Where rows were kept no longer, nobody can tell any
more whose they were: every version that is older than that counts as one that saw the person.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from regraft.data import store
from regraft.release import retention
from regraft.setup.site import Site
from regraft.state import files, ledger, versions
from regraft.state.files import Listed
from regraft.state.versions import Version


def files_with(site: Site, connection: Connection, uid: str) -> list[Listed]:
    """The data files, of batches in any state, that hold rows of the person."""
    listed = [f for f in files.listed(connection, states=files.STATES) if f.day != store.ITEMS]
    return [f for f in listed if (store.read(site.data, [f], ["uid"])["uid"] == uid).any()]


def first_known(site: Site, held: Iterable[Listed], uid: str) -> int | None:
    """When the first of the person's rows became known, ms; None where there is no row."""
    rows = store.read(site.data, held, ["uid", "known_at"])
    known = rows.filter(rows["uid"] == uid)["known_at"].dt.epoch("ms")
    return int(known.min()) if len(known) else None  # type: ignore[arg-type]


def exposed(connection: Connection, first: int | None) -> list[Version]:
    """Versions that may have seen a row known at `first` (ms) or later, oldest first."""
    if first is None:
        return []
    let_go = _let_go(connection)
    found = [v for v in versions.listed(connection) if v.state != versions.DESTROYED]
    return [v for v in found if v.cut > first or v.at < let_go]


def _let_go(connection: Connection) -> int:
    """When rows last left because of their age, ms; 0 where none ever did."""
    found = (
        e.at for e in ledger.entries(connection) if e.kind == retention.KIND and retention.ROWS in e.details["gone"]
    )
    return max(found, default=0)


def needed(connection: Connection, among: Iterable[Version]) -> dict[str, list[str]]:
    """Of these versions the ones that must be made again, each with the aliases that point to it.

    Those behind an alias, and the newest good one of each contender, from which the next update goes on.
    """
    chosen = {v.name: v for v in among}
    pointed: dict[str, list[str]] = {}
    for name in versions.ALIASES:
        alias = versions.alias(connection, name)
        if alias and alias.version in chosen:
            pointed.setdefault(alias.version, []).append(name)
    newest = {v.contender: v.name for v in versions.listed(connection) if v.state == "good"}
    for name in newest.values():
        if name in chosen:
            pointed.setdefault(name, [])
    return pointed
