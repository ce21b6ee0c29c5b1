"""The id vault: the one place where a person's pseudonym and uid meet. Without its row, a uid is nobody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, delete, insert, select

from regraft.errors import StateError
from regraft.state.tables import objections, vault

AT_ONCE = 900  # pseudonyms per query: SQLite takes 999 parameters


def uids(
    connection: Connection, pseudonyms: Sequence[str], key_id: str, new: Callable[[], str] | None = None
) -> dict[str, str]:
    """uid by pseudonym, for those that are known; with `new`, unknown ones are given a uid and written down.

    Raises StateError where the vault was filled under another key: everybody would get a second uid.
    """
    other = connection.execute(select(vault.c.key_id).where(vault.c.key_id != key_id).limit(1)).scalar()
    if other:
        raise StateError(
            "id vault", "holds pseudonyms of the key {other}", "the key {key_id}, which is in use",
            other=other, key_id=key_id,
        )  # fmt: skip
    found: dict[str, str] = {}
    wanted = list(dict.fromkeys(pseudonyms))
    for first in range(0, len(wanted), AT_ONCE):
        part = wanted[first : first + AT_ONCE]
        rows = connection.execute(select(vault.c.pseudonym, vault.c.uid).where(vault.c.pseudonym.in_(part)))
        found |= {row.pseudonym: row.uid for row in rows}
    missing = [one for one in wanted if one not in found]
    if new is not None and missing:
        added = {one: new() for one in missing}
        connection.execute(
            insert(vault), [{"pseudonym": one, "key_id": key_id, "uid": uid} for one, uid in added.items()]
        )
        found |= added
    return found


def everybody(connection: Connection) -> dict[str, str]:
    """uid by pseudonym, of all people."""
    return {row.pseudonym: row.uid for row in connection.execute(select(vault.c.pseudonym, vault.c.uid))}


def pseudonyms(connection: Connection, of: Sequence[str]) -> dict[str, str]:
    """Pseudonym by uid, of those of these uids that are here."""
    parts = (of[first : first + AT_ONCE] for first in range(0, len(of), AT_ONCE))
    found = (connection.execute(select(vault.c.uid, vault.c.pseudonym).where(vault.c.uid.in_(part))) for part in parts)
    return {row.uid: row.pseudonym for rows in found for row in rows}


def forget(connection: Connection, pseudonym: str) -> bool:
    """Deletes a person's row; whether there was one."""
    return connection.execute(delete(vault).where(vault.c.pseudonym == pseudonym)).rowcount == 1


def forget_uids(connection: Connection, gone: Sequence[str]) -> int:
    """Deletes the rows of these uids, but for people whose objection must be known when they come again; how many."""
    kept = set(connection.execute(select(objections.c.uid)).scalars())
    chosen = [one for one in gone if one not in kept]
    return sum(
        connection.execute(delete(vault).where(vault.c.uid.in_(chosen[first : first + AT_ONCE]))).rowcount
        for first in range(0, len(chosen), AT_ONCE)
    )
