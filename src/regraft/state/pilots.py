"""Pilots: a limited group of people, one half of whom is served by a challenger. One runs at a time.

`begun` and `ended` are times of the site (ms): the end of the last closed day when it was started, and when it ended.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlalchemy import Connection, insert, select, update

from regraft.errors import StateError
from regraft.said import Said
from regraft.state import ledger
from regraft.state.tables import pilots

PLANNED, RUNNING, STOPPED, DECIDED = "planned", "running", "stopped", "decided"


@dataclass(frozen=True)
class Pilot:
    """One experiment. `share` of the people are enrolled."""

    id: int
    name: str
    salt: str
    state: str
    share: float
    plan: Mapping[str, Any]
    begun: int | None
    ended: int | None


def add(connection: Connection, name: str, plan: Mapping[str, Any], at: int) -> Pilot:
    """Writes a plan down, with a salt of its own; StateError where the name was used."""
    if connection.execute(select(pilots.c.id).where(pilots.c.name == name)).first():
        raise StateError("pilot '{name}'", "exists already", "a name that no pilot had", name=name)
    values = {"name": name, "salt": secrets.token_hex(16), "state": PLANNED, "share": 0.0}
    connection.execute(insert(pilots).values(**values, plan=ledger.canonical(plan)))
    ledger.append(connection, "pilot planned", {"pilot": name, "plan": plan}, at)
    return named(connection, name)


def listed(connection: Connection) -> list[Pilot]:
    """All pilots, oldest first."""
    return [_pilot(row) for row in connection.execute(select(pilots).order_by(pilots.c.id))]


def named(connection: Connection, name: str) -> Pilot:
    """The pilot of this name; StateError where there is none."""
    row = connection.execute(select(pilots).where(pilots.c.name == name)).first()
    if row is None:
        known = [one.name for one in listed(connection)]
        raise StateError(
            "pilot '{name}'", "does not exist", "one of {known}",
            name=name, known=", ".join(known) or Said("(none yet)"),
        )  # fmt: skip
    return _pilot(row)


def running(connection: Connection) -> Pilot | None:
    """The pilot that people are enrolled in now."""
    row = connection.execute(select(pilots).where(pilots.c.state == RUNNING)).first()
    return _pilot(row) if row else None


def start(connection: Connection, name: str, share: float, begun: int, at: int) -> Pilot:
    """Enrols a share of the people; lists count from `begun` on. StateError where a pilot runs: nobody is in two."""
    if other := running(connection):
        raise StateError("pilot '{pilot}'", "is running", "one pilot at a time: nobody is in two", pilot=other.name)
    _demand(named(connection, name), PLANNED)
    return _changed(connection, name, "pilot started", {"state": RUNNING, "share": share, "begun": begun}, at)


def ramp(connection: Connection, name: str, share: float, at: int) -> Pilot:
    """Enrols more people; whoever was enrolled stays, and stays in the same arm. StateError for a smaller share."""
    found = named(connection, name)
    _demand(found, RUNNING)
    if share <= found.share:
        raise StateError(
            "pilot '{name}'", "has {share:.0%} of the people already", "a larger share",
            "People who saw the new lists cannot unsee them; to end the pilot: regraft pilot stop",
            name=name, share=found.share,
        )  # fmt: skip
    return _changed(connection, name, "pilot ramped", {"share": share}, at)


def replan(connection: Connection, name: str, plan: Mapping[str, Any], kind: str, at: int) -> Pilot:
    """Puts another plan in the place of the old one; both stand in the ledger."""
    _demand(named(connection, name), RUNNING)
    return _changed(connection, name, kind, {"plan": plan}, at)


def end(connection: Connection, name: str, state: str, details: Mapping[str, Any], ended: int, at: int) -> Pilot:
    """Ends a pilot as STOPPED or DECIDED: everybody is served by the champion again; lists count up to `ended`.

    A pilot that was stopped can still be decided: its rows are there.
    """
    found = named(connection, name)
    _demand(found, RUNNING, *([STOPPED] if state == DECIDED else [PLANNED]))
    values = {"state": state, "ended": found.ended or ended}
    return _changed(connection, name, f"pilot {state}", values, at, details)


def _changed(
    connection: Connection, name: str, kind: str, values: Mapping[str, Any], at: int,
    details: Mapping[str, Any] | None = None,
) -> Pilot:  # fmt: skip
    stored = {key: ledger.canonical(value) if key == "plan" else value for key, value in values.items()}
    connection.execute(update(pilots).where(pilots.c.name == name).values(**stored))
    ledger.append(connection, kind, {"pilot": name, **values, **(details or {})}, at)
    return named(connection, name)


def _demand(found: Pilot, *states: str) -> None:
    if found.state not in states:
        raise StateError(
            "pilot '{pilot}'", "is {state}", "one that is {states}",
            pilot=found.name, state=Said(found.state), states=reduce(_either, map(Said, states)),
        )  # fmt: skip


def _either(first: Said, then: Said) -> Said:
    return Said("{first} or {then}", first=first, then=then)


def _pilot(row: Any) -> Pilot:
    return Pilot(**{**row._mapping, "plan": json.loads(row.plan)})
