"""The first step of an erasure: a person is refused at once. A server, an update or `regraft forget` does the rest.

So are people who were erased and came back with a restored backup: the list of the erased lies outside of the site.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import Connection

from regraft.data import erased, spool
from regraft.data.pseudonyms import load_key, new_uid
from regraft.errors import DataError, StateError
from regraft.release.runs import now
from regraft.release.worker import gone
from regraft.setup.site import Site
from regraft.state import erasures, jobs, lease, vault
from regraft.state.database import transaction
from regraft.state.erasures import Erasure
from regraft.state.jobs import Job

BLOCKED = "blocked"  # the step
JOB, COMMAND = "erase", "forget"  # kind of the job, and what does it


class NobodyError(DataError):
    """Of a person whom the site does not know."""


def commitment(user: str, salt: str) -> str:
    """Names a person to who holds the salt, and to nobody else."""
    return hashlib.sha256(f"{salt}\0{user}".encode()).hexdigest()


def known(site: Site, user: str, named: bool = False) -> tuple[str, str]:
    """(uid, pseudonym) of a person; NobodyError where there is none.

    Somebody of whom nothing but spooled events and lists is held has no uid; with `named` they are given one.
    """
    key = load_key(site.folder)
    (pseudonym,) = key.pseudonyms([user])
    with transaction(site.engine) as connection:
        uid = vault.uids(connection, [pseudonym], key.id).get(pseudonym)
        if uid is None and _spooled(site, pseudonym):
            uid = vault.uids(connection, [pseudonym], key.id, new_uid)[pseudonym] if named else ""
    if uid is None:
        raise NobodyError(
            "user '{user}'", "is not known to this site", "a person whose events were taken in", user=user
        )
    return uid, pseudonym


def block(site: Site, user: str) -> Erasure:
    """Writes down that a person is to be erased, once; NobodyError where nobody of this id is known."""
    uid, pseudonym = known(site, user, named=True)
    with transaction(site.engine) as connection:
        return _block(connection, user, uid, pseudonym)


def ask_to_forget(site: Site, user: str, asked_by: str) -> tuple[Erasure, Job]:
    """Blocks a person and leaves a job for whoever begins it, in one transaction; asked again it is the same job."""
    uid, pseudonym = known(site, user, named=True)
    with transaction(site.engine) as connection:
        erasure = _block(connection, user, uid, pseudonym)
        if waiting := waiting_jobs(connection):
            return erasure, waiting[-1]
        return erasure, jobs.ask(connection, JOB, (COMMAND, str(site.folder)), asked_by, now())


def waiting_jobs(connection: Connection) -> list[Job]:
    """Jobs of erasures that nobody has begun: one does all that wait, newest first."""
    return [one for one in jobs.listed(connection, 1_000) if one.kind == JOB and one.state == jobs.WAITING]


def due_job(site: Site) -> Job | None:
    """The job to begin now; None where no erasure waits, or somebody works on the site, on one perhaps.

    Where no job waits for an erasure - its process was killed, a backup brought somebody back - one is made.
    """
    if lease.holder(site.engine, site.lease_name):
        return None
    with transaction(site.engine) as connection:
        if not erasures.open_ones(connection):
            return None
        if any(one.kind == JOB and one.state == jobs.RUNNING and not gone(one) for one in jobs.listed(connection, 100)):
            return None
        if waiting := waiting_jobs(connection):
            return waiting[-1]
        return jobs.ask(connection, JOB, (COMMAND, str(site.folder)), "server", now())


def returned(site: Site) -> dict[str, str]:
    """Pseudonym by uid of people who were erased, are here again, and are not being erased."""
    gone = erased.erased(site.folder)
    with transaction(site.engine) as connection:
        here = vault.pseudonyms(connection, list(gone))
        open_ones = {one.uid for one in erasures.open_ones(connection)}
    return {uid: pseudonym for uid, pseudonym in here.items() if uid not in open_ones}


def block_returned(site: Site) -> int:
    """Blocks people who came back with a restored backup, to be erased again; how many."""
    people, gone = returned(site), erased.erased(site.folder)
    with transaction(site.engine) as connection:
        for uid, pseudonym in people.items():
            erasures.begin(connection, uid, pseudonym, BLOCKED, {"commitment": gone[uid].commitment}, now())
    return len(people)


def demand_nobody_returned(site: Site) -> None:
    """StateError where people who were erased are here again: nothing may learn from them."""
    if people := returned(site):
        raise StateError(
            "site '{site}'", "{n} people who were erased are here again", "a site without them",
            "It was restored from an older backup. Erase them again with: regraft forget {site}",
            site=site.folder, n=len(people),
        )  # fmt: skip


def _block(connection: Connection, user: str, uid: str, pseudonym: str) -> Erasure:
    for one in erasures.open_ones(connection):
        if one.pseudonym == pseudonym:
            return one
    salt = secrets.token_hex(16)
    plan = {"salt": salt, "commitment": commitment(user, salt)}
    return erasures.begin(connection, uid, pseudonym, BLOCKED, plan, now())


def _spooled(site: Site, pseudonym: str) -> bool:
    segments = (one for kind in ("events", "lists") for one in spool.segments(site.spool / kind))
    return any(row["pseudonym"] == pseudonym for segment in segments for row in spool.lines(segment))
