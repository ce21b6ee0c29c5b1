"""Versions and the aliases that point to them: immutable names, and one row per alias that is moved in one step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from regraft.errors import StateError
from regraft.said import Said
from regraft.state import ledger
from regraft.state.tables import alias_history, aliases, versions

ALIASES = ("champion", "challenger", "holdout")
GOOD, DAMAGED = "good", "damaged"
DESTROYED = "destroyed"  # the state of a version whose folder is gone for good


@dataclass(frozen=True)
class Version:
    """A released contender. `cut` (ms): it saw nothing that was known at or after it."""

    name: str
    number: int
    contender: str
    run: int
    cut: int
    manifest: str
    lineage: Mapping[str, Any]
    state: str
    at: int


@dataclass(frozen=True)
class Alias:
    """What a name points to; `epoch` grows with every move."""

    name: str
    version: str
    epoch: int


def none_yet(site: Path | None = None) -> StateError:
    """The error of a site that has closed nothing, so that it has no version; `site` is its folder."""
    where = Said("site '{site}'", site=site) if site else Said("site")
    return StateError(where, "has no version yet", "a site made by regraft init")


def next_number(connection: Connection) -> int:
    """Number of the next version; numbers are never used again."""
    return int(connection.execute(select(func.coalesce(func.max(versions.c.number), 0))).scalar_one()) + 1


def version_name(site: str, number: int) -> str:
    """SITE-v000123"""
    return f"{site}-v{number:06d}"


def add(connection: Connection, version: Version) -> None:
    """Writes a version down, inside the caller's transaction."""
    values = {**vars(version), "lineage": ledger.canonical(version.lineage)}
    connection.execute(insert(versions).values(**values))


def listed(connection: Connection) -> list[Version]:
    """All versions, oldest first."""
    return [_version(row) for row in connection.execute(select(versions).order_by(versions.c.number))]


def version(connection: Connection, name: str) -> Version:
    """The version of this name; StateError where there is none."""
    row = connection.execute(select(versions).where(versions.c.name == name)).first()
    if row is None:
        known = [v.name for v in listed(connection)[-5:]]
        raise StateError(
            "version '{name}'", "does not exist", "a version such as {known}",
            name=name, known=", ".join(known) or Said("(none yet)"),
        )  # fmt: skip
    return _version(row)


def alias(connection: Connection, name: str) -> Alias | None:
    """Where an alias points now; None where it was never set."""
    row = connection.execute(select(aliases).where(aliases.c.name == name)).first()
    return Alias(row.name, row.version, row.epoch) if row else None


def in_use(connection: Connection) -> set[str]:
    """Names of the versions behind an alias, and of the newest good one of each contender: updates go on from it."""
    pointed = {found.version for name in ALIASES if (found := alias(connection, name))}
    return pointed | set({v.contender: v.name for v in listed(connection) if v.state == GOOD}.values())


def move(
    connection: Connection, name: str, to: str, expected: str | None, kind: str, details: Mapping[str, Any], at: int
) -> Alias:  # fmt: skip
    """Points an alias to another version and writes that into the ledger, inside the caller's transaction.

    `expected` is where it pointed when the caller decided; StateError where it has moved since, or where it would
    not move at all.
    """
    found = alias(connection, name)
    now = found.version if found else None
    if now != expected:
        raise StateError(
            "alias '{name}'", "points to {now}", "{expected}, as when this was decided",
            name=name, now=now, expected=expected,
        )  # fmt: skip
    if now == to:
        raise StateError(
            "alias '{name}'", "points to {to} already: nothing would change", "another version", name=name, to=to
        )
    entry = ledger.append(connection, kind, {**details, "alias": name, "from": now, "to": to}, at)
    epoch = found.epoch + 1 if found else 1
    if found:
        moved = connection.execute(
            update(aliases)
            .where(aliases.c.name == name, aliases.c.version == now, aliases.c.epoch == found.epoch)
            .values(version=to, epoch=epoch)
        )
        if moved.rowcount != 1:
            raise StateError("alias '{name}'", "was moved by another process", "nobody else at work on it", name=name)
    else:
        connection.execute(insert(aliases).values(name=name, version=to, epoch=epoch))
    connection.execute(insert(alias_history).values(alias=name, version=to, epoch=epoch, entry=entry.id))
    return Alias(name, to, epoch)


def point(connection: Connection, name: str, to: str, kind: str, details: Mapping[str, Any], at: int) -> Alias:
    """As `move`, from wherever the alias points to inside the caller's transaction."""
    found = alias(connection, name)
    return move(connection, name, to, found.version if found else None, kind, details, at)


def destroy(connection: Connection, names: Sequence[str]) -> None:
    """Marks versions as destroyed, inside the caller's transaction: they stay listed and are never served again."""
    set_state(connection, names, DESTROYED)


def set_state(connection: Connection, names: Sequence[str], state: str) -> None:
    """What versions are good for from now on."""
    connection.execute(update(versions).where(versions.c.name.in_(names)).values(state=state))


def history(connection: Connection, name: str) -> list[Alias]:
    """Everything an alias has pointed to, oldest first."""
    rows = connection.execute(
        select(alias_history).where(alias_history.c.alias == name).order_by(alias_history.c.epoch)
    )
    return [Alias(row.alias, row.version, row.epoch) for row in rows]


def _version(row: Any) -> Version:
    return Version(**{**row._mapping, "lineage": json.loads(row.lineage)})
