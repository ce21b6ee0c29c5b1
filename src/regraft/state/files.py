"""Which data files count: the list in SQL. A file that no row names is no part of the site."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from regraft.errors import StateError
from regraft.state.tables import batches, counters, files

STATES = ACCEPTED, HELD, SKIPPED, ROLLED_BACK = "accepted", "held", "skipped", "rolled back"
TO_CLOSE = (ACCEPTED, HELD)  # what an update may learn from: a day is held until a person or more rows decide


@dataclass(frozen=True)
class Listed:
    """One file of the list; the fields of data.store.DayFile, and its batch."""

    name: str
    day: str
    sha256: str
    rows: int
    bytes: int
    batch: int


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one source: rows_in = accepted + set_aside + already_there."""

    source: str
    sha256: str
    rows_in: int
    accepted: int
    set_aside: int
    already_there: int


def next_number(connection: Connection, name: str) -> int:
    """The first number of a series that was not given out yet."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar() or 0)


def take_numbers(connection: Connection, name: str, first: int, n: int) -> None:
    """Gives out the numbers first to first + n - 1; StateError where another process was faster."""
    if next_number(connection, name) != first:
        raise StateError(
            "numbers of {name}", "{first} was given out meanwhile", "no other process at work", name=name, first=first
        )
    if first == 0 and not connection.execute(select(counters).where(counters.c.name == name)).first():
        connection.execute(insert(counters).values(name=name, value=n))
        return
    connection.execute(update(counters).where(counters.c.name == name).values(value=first + n))


def add(connection: Connection, counts: Counts, written: Iterable[object], at: int | None = None) -> int:
    """Lists the files of one batch and gives the batch's number, inside the caller's transaction."""
    at = round(time.time() * 1000) if at is None else at
    added = connection.execute(insert(batches).values(**vars(counts), state=ACCEPTED, at=at).returning(batches.c.id))
    batch = int(added.scalar_one())
    rows = [{**vars(file), "batch": batch} for file in written]
    if rows:
        connection.execute(insert(files), rows)
    return batch


def listed(
    connection: Connection, days: Sequence[str] | None = None, states: Sequence[str] = (ACCEPTED,)
) -> list[Listed]:
    """The files whose batch is in one of the states, by day and batch; of the given days alone, where given."""
    query = (
        select(files).join(batches, batches.c.id == files.c.batch).where(batches.c.state.in_(states))
        .order_by(files.c.day, files.c.batch, files.c.name)
    )  # fmt: skip
    if days is not None:
        query = query.where(files.c.day.in_(list(days)))
    return [Listed(**row._mapping) for row in connection.execute(query)]


def set_state(connection: Connection, numbers: int | Iterable[int], state: str) -> None:
    """Takes batches out of use, or back into it."""
    chosen = [numbers] if isinstance(numbers, int) else list(numbers)
    connection.execute(update(batches).where(batches.c.id.in_(chosen)).values(state=state))


def in_state(connection: Connection, state: str) -> list[int]:
    """Numbers of the batches in a state."""
    return [row.id for row in connection.execute(select(batches.c.id).where(batches.c.state == state))]


def replace(connection: Connection, names: Sequence[str], new: Iterable[tuple[object, int]]) -> None:
    """Takes files off the list and puts others, each with its batch, in their place."""
    for name in names:
        connection.execute(delete(files).where(files.c.name == name))
    rows = [{**vars(file), "batch": batch} for file, batch in new]
    if rows:
        connection.execute(insert(files), rows)
