"""A lease: one process at a time works on a site. Each holder has a fence, a number larger than all before it.

A process that was stopped past its lease and goes on is refused at its next commit, because its fence is no
longer the newest.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from regraft.errors import StateError
from regraft.state.database import lock_table, transaction
from regraft.state.tables import leases

SECONDS = 120.0  # after which a holder that has not renewed counts as gone
LOOK = 1.0  # seconds between looks of who waits


@dataclass(frozen=True)
class Lease:
    """The right to work on `name`, as long as no other has taken it."""

    name: str
    holder: str
    fence: int


def take(engine: Engine, name: str, seconds: float = SECONDS, now: float | None = None) -> Lease:
    """The lease on `name`; StateError where another process holds it and still runs."""
    holder = f"{platform.node()}:{os.getpid()}"
    at = round((time.time() if now is None else now) * 1000)
    with transaction(engine) as connection:
        lock_table(connection, leases)
        held = connection.execute(select(leases).where(leases.c.name == name)).first()
        if held and held.expires > at and not _gone(held.holder):
            raise StateError(
                "site, lease '{name}'", "is held by {holder} for {seconds:.0f} s more", "no other process at work",
                "Wait for it, or stop it, and run the same command again",
                name=name, holder=held.holder, seconds=(held.expires - at) / 1000,
            )  # fmt: skip
        values = {"holder": holder, "fence": held.fence + 1 if held else 1, "expires": at + round(seconds * 1000)}
        if held:
            connection.execute(update(leases).where(leases.c.name == name).values(**values))
        else:
            connection.execute(insert(leases).values(name=name, **values))
    return Lease(name, holder, int(values["fence"]))


def holder(engine: Engine, name: str) -> str | None:
    """Who holds the lease on `name`, as node:process; None where it can be taken."""
    with transaction(engine) as connection:
        held = connection.execute(select(leases).where(leases.c.name == name)).first()
    return held.holder if held and held.expires > time.time() * 1000 and not _gone(held.holder) else None


def wait(engine: Engine, name: str, seconds: float, tell: Callable[[str], object] = str) -> None:
    """Returns when nobody holds the lease, at the latest after so many seconds; says whom it waits for."""
    until, told = time.monotonic() + seconds, None
    while time.monotonic() < until and (who := holder(engine, name)):
        if who != told:
            tell(f"The site is held by {who}: waiting for at most {until - time.monotonic():,.0f} s")
            told = who
        time.sleep(min(LOOK, max(0.0, until - time.monotonic())))


@contextmanager
def holding(engine: Engine, name: str, seconds: float = SECONDS) -> Iterator[Lease]:
    """Inside, the lease is held, however long that takes; it is given back at the end, after an error as well.

    A thread renews it: a process that was stopped, or lost its database for that long, renews nothing and loses it.
    """
    held, done = take(engine, name, seconds), Event()
    keeper = Thread(target=_keep, args=(engine, held, seconds, done), name=f"lease {name}", daemon=True)
    keeper.start()
    try:
        yield held
    finally:
        done.set()
        keeper.join()
        give_back(engine, held)


def _keep(engine: Engine, held: Lease, seconds: float, done: Event) -> None:
    """Renews the lease three times in its life, until it is done or another process has taken it."""
    while not done.wait(seconds / 3):
        try:
            renew(engine, held, seconds)
        except StateError:  # the next commit says so
            return
        except SQLAlchemyError:  # the database is away or busy: there are two more tries
            continue


def renew(engine: Engine, lease: Lease, seconds: float = SECONDS) -> None:
    """Holds it for `seconds` from now; StateError where another process has taken it."""
    with transaction(engine) as connection:
        demand(connection, lease)
        connection.execute(
            update(leases).where(leases.c.name == lease.name).values(expires=round((time.time() + seconds) * 1000))
        )


def demand(connection: Connection, lease: Lease) -> None:
    """StateError where the lease is no longer the newest; called inside every transaction that commits work."""
    fence = connection.execute(select(leases.c.fence).where(leases.c.name == lease.name).with_for_update()).scalar()
    if fence != lease.fence:
        raise StateError(
            "site, lease '{lease}'", "was taken by another process (fence {fence}, ours is {ours})", "the newest fence",
            "Run the same command again: finished steps are kept", lease=lease.name, fence=fence, ours=lease.fence,
        )  # fmt: skip


def give_back(engine: Engine, lease: Lease) -> None:
    """Lets the next process in at once."""
    with transaction(engine) as connection:
        connection.execute(
            update(leases).where(leases.c.name == lease.name, leases.c.fence == lease.fence).values(expires=0)
        )


def _gone(holder: str) -> bool:
    """Whether the holder is a process of this machine that no longer runs."""
    node, _, pid = holder.rpartition(":")
    if node != platform.node():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError):
        return False
    return int(pid) == os.getpid()
