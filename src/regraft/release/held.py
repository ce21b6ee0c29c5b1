"""Days that the gate holds: their batches are out of use until a person decides, or more rows come."""

from __future__ import annotations

from dataclasses import asdict, replace

from sqlalchemy import Connection, insert, select, update

from regraft.errors import StateError
from regraft.release import aggregates
from regraft.release.arrivals import batches_of_day
from regraft.release.evidence import Day, Finding
from regraft.release.runs import Outcome, Run, date_of, finish, now, outcome_of, waiting
from regraft.said import Said
from regraft.setup.site import DAY, Site
from regraft.state import files, lease, ledger
from regraft.state.database import transaction
from regraft.state.lease import Lease
from regraft.state.tables import periods, runs


def hold(site: Site, held: Lease, run: Run, day: Day, findings: list[Finding]) -> Outcome:
    """The day waits: until it is resolved its batches are in no fact, no neighbour and no catalogue."""
    done = Outcome(run.id, date_of(run.begins), "held", tuple(findings))
    with transaction(site.engine) as connection:
        lease.demand(connection, held)
        files.set_state(connection, day.batches, files.HELD)
        details = {
            "date": done.date, "run": run.id, "batches": list(day.batches), "findings": [asdict(f) for f in findings]
        }  # fmt: skip
        ledger.append(connection, "held", details, now())
        finish(connection, done)
    return done


def resolve(connection: Connection, site: Site, run: Run, accept: int | None) -> None:
    """Whether a run may go on where its day was held; StateError where it waits for a person.

    A day that was held is judged anew when rows were added or taken away; then the old run counts no more. `accept`
    is what a person said of the rows as they were.
    """
    held = waiting(connection)
    if accept is not None and accept != run.id:
        raise StateError(
            "run {accept}", "is not held, or its day has other rows by now",
            "the number of a run that is held: {number}",
            "Look at the day again with: regraft update {site} --dry-run",
            accept=accept, number=held if held == run.id else Said("there is none"), site=site.folder,
        )  # fmt: skip
    if held is None:
        return
    if held == run.id and accept is None:
        raise StateError(
            "run {held}", "is held by the gate and waits for a person", "a decision, or more rows of the day",
            "regraft update {site} --accept {held}, or --skip {held}", held=held, site=site.folder,
        )  # fmt: skip
    if held != run.id:
        connection.execute(update(runs).where(runs.c.id == held).values(state="superseded"))


def skip(site: Site, run: int) -> Outcome:
    """Closes the day of a held run without learning from it: the day's batches are excluded from now on."""
    with lease.holding(site.engine, site.lease_name) as held, transaction(site.engine) as connection:
        lease.demand(connection, held)
        done = _skip(connection, site, run)
    aggregates.refresh(site)
    return done


def _skip(connection: Connection, site: Site, number: int) -> Outcome:
    row = connection.execute(select(runs).where(runs.c.id == number, runs.c.state == "held")).first()
    cuts = site.cuts(connection)
    if row is None or cuts is None:
        raise StateError("run {number}", "is not held", "the number of a run that the gate holds", number=number)
    gone = batches_of_day(site, connection, cuts.end)
    files.set_state(connection, gone, files.SKIPPED)
    done = replace(outcome_of(row), state="skipped")
    ledger.append(connection, "skipped", {"date": row.date, "run": number, "batches": gone}, now())
    period = {"number": len(cuts.starts) + 1, "begins": cuts.end, "ends": cuts.end + DAY, "run": number}
    connection.execute(insert(periods).values(**period))
    finish(connection, done)
    return done
