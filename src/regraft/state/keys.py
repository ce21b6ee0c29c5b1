"""API keys: random, kept as a hash, each with scopes and a quota. What has no key is refused."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from regraft.errors import StateError
from regraft.state.tables import keys

SCOPES = ("recommend", "events", "read", "operate", "privacy")  # read: the dashboard, beyond its machine
PREFIX = "rg_"


@dataclass(frozen=True)
class ApiKey:
    """Whose key it is and what it may do."""

    name: str
    scopes: tuple[str, ...]
    per_minute: int


def make(connection: Connection, name: str, scopes: tuple[str, ...], per_minute: int = 6000) -> str:
    """The new key of this name; it is told here and never again. StateError where the name has one."""
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise StateError(f"API key '{name}'", f"asks for the scope {unknown[0]}", "some of " + ", ".join(SCOPES))
    if connection.execute(select(keys.c.name).where(keys.c.name == name)).first():
        raise StateError(f"API key '{name}'", "exists already", "a name of its own, or the old key revoked first")
    key = PREFIX + secrets.token_urlsafe(32)
    connection.execute(
        insert(keys).values(name=name, hash=_hash(key), scopes=json.dumps(sorted(scopes)), per_minute=per_minute)
    )
    return key


def found(connection: Connection, key: str) -> ApiKey | None:
    """Whose key this is; None where it is nobody's."""
    row = connection.execute(select(keys).where(keys.c.hash == _hash(key))).first()
    return ApiKey(row.name, tuple(json.loads(row.scopes)), row.per_minute) if row else None


def listed(connection: Connection) -> list[ApiKey]:
    """All keys by name."""
    rows = connection.execute(select(keys).order_by(keys.c.name))
    return [ApiKey(row.name, tuple(json.loads(row.scopes)), row.per_minute) for row in rows]


def revoke(connection: Connection, name: str) -> None:
    """Deletes a key: it is refused from the next look on."""
    if not connection.execute(delete(keys).where(keys.c.name == name)).rowcount:
        raise StateError(f"API key '{name}'", "does not exist", "a name that is listed by regraft keys")


def _hash(key: str) -> str:
    """A key has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()
