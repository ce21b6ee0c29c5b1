"""Erasures: who is blocked, how far each erasure got, and what is left of it when it is done: a uid and a proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from regraft.state import ledger
from regraft.state.tables import erasures

DONE = "done"


@dataclass(frozen=True)
class Erasure:
    """`step` is the last one that was finished; `pseudonym` is empty once the erasure is done. `at` in ms."""

    id: int
    uid: str
    pseudonym: str
    step: str
    plan: Mapping[str, Any]
    at: int


def begin(connection: Connection, uid: str, pseudonym: str, step: str, plan: Mapping[str, Any], at: int) -> Erasure:
    """Writes an erasure down: from now on the person is blocked."""
    values = {"uid": uid, "pseudonym": pseudonym, "step": step, "plan": ledger.canonical(plan), "at": at}
    number = connection.execute(insert(erasures).values(**values).returning(erasures.c.id)).scalar_one()
    return Erasure(int(number), uid, pseudonym, step, plan, at)


def advance(connection: Connection, erasure: Erasure, step: str, plan: Mapping[str, Any] | None = None) -> Erasure:
    """Writes down that a step is finished; with the last one the pseudonym is gone."""
    plan = erasure.plan if plan is None else plan
    pseudonym = "" if step == DONE else erasure.pseudonym
    connection.execute(
        update(erasures)
        .where(erasures.c.id == erasure.id)
        .values(step=step, plan=ledger.canonical(plan), pseudonym=pseudonym)
    )
    return Erasure(erasure.id, erasure.uid, pseudonym, step, plan, erasure.at)


def open_ones(connection: Connection) -> list[Erasure]:
    """Those that are not done, oldest first."""
    rows = connection.execute(select(erasures).where(erasures.c.step != DONE).order_by(erasures.c.id))
    return [Erasure(**{**row._mapping, "plan": json.loads(row.plan)}) for row in rows]


def blocked(connection: Connection) -> set[str]:
    """Pseudonyms that are neither served nor taken in."""
    return {one.pseudonym for one in open_ones(connection)}


def erased(connection: Connection) -> set[str]:
    """uids of all people who were erased."""
    return {row.uid for row in connection.execute(select(erasures.c.uid).where(erasures.c.step == DONE))}
