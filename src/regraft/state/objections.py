"""Objections: who is served, and learnt from no longer."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from regraft.state.tables import objections


def add(connection: Connection, uid: str, at: int) -> bool:
    """Writes an objection down (`at` in ms); whether it is new."""
    if connection.execute(select(objections.c.uid).where(objections.c.uid == uid)).first():
        return False
    connection.execute(insert(objections).values(uid=uid, at=at))
    return True


def withdraw(connection: Connection, uid: str) -> bool:
    """Takes an objection back; whether there was one."""
    return connection.execute(delete(objections).where(objections.c.uid == uid)).rowcount == 1


def objecting(connection: Connection) -> dict[str, int]:
    """By uid, since when (ms) a person objects."""
    return {row.uid: row.at for row in connection.execute(select(objections).order_by(objections.c.uid))}


def moves(connection: Connection) -> tuple[int, int]:
    """(how many there are, since when the newest is): another one wherever somebody objects or takes it back."""
    row = connection.execute(select(func.count(), func.coalesce(func.max(objections.c.at), 0))).one()
    return int(row[0]), int(row[1])
