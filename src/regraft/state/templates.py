"""Templates that staff wrote for a site: a saved text never changes, its state does, and the ledger says who did it.

    draft -> approved -> live -> retired

One template is live at a time. A retired one may go live again: it was approved once. The text lies in the database
and, for people and other tools, in a file of the site that is named after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from regraft.errors import StateError
from regraft.said import Said
from regraft.state import ledger
from regraft.state.tables import templates

DRAFT, APPROVED, LIVE, RETIRED = "draft", "approved", "live", "retired"
SAVED, WAS_APPROVED, WENT_LIVE = "template saved", "template approved", "template live"  # kinds of ledger entries
FOLDER = "templates"  # of a site
NAME = re.compile(r"\w[\w.-]{0,62}")
LONGEST_PERSON = 64


@dataclass(frozen=True)
class Saved:
    """One version of a template. `at` in ms since 1970 UTC; `hash` is the content hash of lineages."""

    id: int
    name: str
    hash: str
    source: str
    state: str
    author: str
    at: int

    @property
    def file(self) -> str:
        """Where its text lies, as seen from the site's folder."""
        return f"{FOLDER}/{self.name}-{self.id:04d}.jinja"

    def __str__(self) -> str:
        return self.said

    @property
    def said(self) -> Said:
        """What it is called in a message."""
        return Said("template {number} '{name}'", number=self.id, name=self.name)


def save(connection: Connection, name: str, hash: str, source: str, author: str, at: int) -> Saved:
    """A new draft; a text that was saved under this name before is given back as it is."""
    if not NAME.fullmatch(name):
        raise StateError(
            "template '{name}'", "has no usable name", "letters, digits, '_', '.' and '-', at most 63", name=name
        )
    _demand_person(author)
    known = select(templates).where(templates.c.name == name, templates.c.hash == hash)
    if row := connection.execute(known).first():
        return Saved(**row._mapping)
    number = int(connection.execute(select(func.coalesce(func.max(templates.c.id), 0))).scalar_one()) + 1
    made = Saved(number, name, hash, source, DRAFT, author, at)
    connection.execute(insert(templates).values(**vars(made)))
    _note(connection, SAVED, made, author, at)
    return made


def approve(connection: Connection, number: int, by: str, at: int) -> Saved:
    """A draft that may go live from now on. StateError where it is none."""
    found = template(connection, number)
    if found.state != DRAFT:
        raise StateError(found.said, "is {state}", "a draft", state=Said(found.state))
    return _moved(connection, found, APPROVED, WAS_APPROVED, by, at)


def put_live(connection: Connection, number: int, by: str, at: int) -> Saved:
    """The template that the site's contenders learn from at their next renewal; the one before it is retired."""
    found, before = template(connection, number), live(connection)
    if found.state == DRAFT:
        raise StateError(
            found.said, "is a draft", "an approved template", "Approve it with: regraft prompt approve SITE {number}",
            number=number,
        )  # fmt: skip
    if found.state == LIVE:
        raise StateError(found.said, "is live already", "another template")
    if before:
        _set(connection, before, RETIRED)
    return _moved(connection, found, LIVE, WENT_LIVE, by, at, before=before.id if before else None)


def listed(connection: Connection) -> list[Saved]:
    """All of them, oldest first."""
    return [Saved(**row._mapping) for row in connection.execute(select(templates).order_by(templates.c.id))]


def template(connection: Connection, number: int) -> Saved:
    """One by its number; StateError where there is none."""
    row = connection.execute(select(templates).where(templates.c.id == number)).first()
    if row is None:
        known = ", ".join(str(one.id) for one in listed(connection))
        raise StateError(
            "template {number}", "is not known",
            "one of {known}" if known else "one saved with: regraft prompt save SITE FILE", number=number, known=known,
        )  # fmt: skip
    return Saved(**row._mapping)


def live(connection: Connection) -> Saved | None:
    """The one that is live."""
    row = connection.execute(select(templates).where(templates.c.state == LIVE)).first()
    return Saved(**row._mapping) if row else None


def in_file(connection: Connection, file: str) -> Saved | None:
    """The template that lies in this file of the site."""
    number = re.search(r"-(\d{4,})\.jinja$", file)
    row = number and connection.execute(select(templates).where(templates.c.id == int(number[1]))).first()
    found = Saved(**row._mapping) if row else None
    return found if found and found.file == file else None


def history(connection: Connection) -> dict[int, list[ledger.Entry]]:
    """Entries of the ledger by the number of the template they speak of, oldest first."""
    found: dict[int, list[ledger.Entry]] = {}
    for entry in ledger.entries(connection):
        if entry.kind in (SAVED, WAS_APPROVED, WENT_LIVE):
            found.setdefault(int(entry.details["template"]), []).append(entry)
    return found


def _moved(connection: Connection, found: Saved, state: str, kind: str, by: str, at: int, **more: Any) -> Saved:
    _demand_person(by)
    _set(connection, found, state)
    moved = replace(found, state=state)
    _note(connection, kind, moved, by, at, **more)
    return moved


def _set(connection: Connection, found: Saved, state: str) -> None:
    connection.execute(update(templates).where(templates.c.id == found.id).values(state=state))


def _note(connection: Connection, kind: str, saved: Saved, by: str, at: int, **more: Any) -> None:
    ledger.append(
        connection, kind, {"template": saved.id, "name": saved.name, "hash": saved.hash, "by": by, **more}, at
    )


def _demand_person(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_PERSON:
        raise StateError(
            "name of a person", "is {name}", "1 to {most} characters", name=repr(name), most=LONGEST_PERSON
        )
