"""The ledger: what was decided, in order, each entry bound to the one before by a hash. Entries are never changed.

Whoever keeps the newest hash outside the database can show later that nothing was edited, dropped or swapped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from regraft.errors import StateError
from regraft.state.database import lock_table
from regraft.state.tables import ledger

FIRST = "0" * 64  # what the first entry is bound to


@dataclass(frozen=True)
class Entry:
    """One decision. `at` in ms since 1970 UTC."""

    id: int
    at: int
    kind: str
    details: Mapping[str, Any]
    hash: str


def append(connection: Connection, kind: str, details: Mapping[str, Any], at: int) -> Entry:
    """Adds an entry inside the caller's transaction."""
    lock_table(connection, ledger)
    last = connection.execute(select(ledger.c.id, ledger.c.hash).order_by(ledger.c.id.desc()).limit(1)).first()
    number, previous = (last.id + 1, last.hash) if last else (1, FIRST)
    text = canonical(details)
    found = _hash(previous, number, at, kind, text)
    connection.execute(insert(ledger).values(id=number, at=at, kind=kind, details=text, previous=previous, hash=found))
    return Entry(number, at, kind, details, found)


def entries(connection: Connection) -> list[Entry]:
    """All entries, oldest first.

    Raises StateError at the first one that is missing, changed or out of place.
    """
    found, previous = [], FIRST
    rows = connection.execute(select(ledger).order_by(ledger.c.id))
    for number, row in enumerate(rows, start=1):
        found.append(_entry(row, number, previous))
        previous = row.hash
    return found


def newest(connection: Connection, kind: str) -> Entry | None:
    """The last entry of a kind, None where there is none; StateError where it is not what was written."""
    last = select(ledger).where(ledger.c.kind == kind).order_by(ledger.c.id.desc()).limit(1)
    row = connection.execute(last).first()
    return _entry(row, row.id, row.previous) if row else None


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _entry(row: Any, number: int, previous: str) -> Entry:
    right = (number, previous, _hash(previous, number, row.at, row.kind, row.details))
    if (row.id, row.previous, row.hash) != right:
        raise StateError(
            "ledger, entry {number}", "was changed, dropped or moved", "the chain of hashes as it was written",
            "Restore the database from a backup whose newest hash you trust", number=number,
        )  # fmt: skip
    return Entry(row.id, row.at, row.kind, json.loads(row.details), row.hash)


def _hash(previous: str, number: int, at: int, kind: str, details: str) -> str:
    return hashlib.sha256(canonical([previous, number, at, kind, details]).encode()).hexdigest()
