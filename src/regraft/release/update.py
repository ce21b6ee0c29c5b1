"""The daily update: named steps, each of which can be killed and run again, and one transaction that decides.

    ingest   what servers have spooled becomes rows
    check    what does the gate say of the day's rows?
    judge    how well did the versions in use foresee the day?
    renew    every contender learns from it
    gate     is the new version at least as good as the champion?
    publish  versions get their immutable names
    commit   versions, verdict, ledger and aliases change in one SQL transaction

Until the commit nothing that anybody reads has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, insert, select

from regraft.data import store
from regraft.data.labels import LabelRule
from regraft.data.periods import Cuts
from regraft.errors import DataError, StateError
from regraft.release import close, feedback, gate
from regraft.release.commit import Closed, commit
from regraft.release.evidence import Day, Finding, day_numbers
from regraft.release.journal import boundary, note
from regraft.release.recovery import demand_whole, working
from regraft.release.runs import Outcome, Run, begin, closed_on, date_of, finish, now, outcome_of, waiting
from regraft.setup.site import DAY, Site, days_cuts
from regraft.state import files, lease, ledger, versions
from regraft.state.database import transaction
from regraft.state.lease import Lease
from regraft.state.tables import batches, periods, runs
from regraft.workbench import CONTENDER, Workbench

EARLIER = 28  # days the gate compares a day with
Tell = Callable[[str], object]


def update(site: Site, day: str | None = None, tell: Tell = str, accept: int | None = None) -> Outcome:
    """Closes the next day, or says again what became of one that is closed.

    `accept` is the run that a person lets pass although the gate held it.

    Raises DataError where the day is not the next one, StateError where another process works on the site or a
    held run waits for a person.
    """
    with working(site, "update") as held:
        demand_whole(site)
        return _update(site, held, day, tell, accept)


def catch_up(site: Site, day: str | None, tell: Tell = str) -> list[Outcome]:
    """Closes all days up to `day` (default: the last one that has rows), one by one; stops at one that is held."""
    with transaction(site.engine) as connection:
        cuts, days = site.cuts(connection), [f.day for f in files.listed(connection) if f.day != store.ITEMS]
    last = _checked(day) if day else max(days)
    done: list[Outcome] = []
    while cuts is not None and date_of(cuts.end) <= last and (not done or done[-1].state != "held"):
        done.append(update(site, date_of(cuts.end), tell))
        with transaction(site.engine) as connection:
            cuts = site.cuts(connection)
    return done


def look(site: Site, day: str | None = None) -> Outcome:
    """What the gate says of the next day's rows; nothing is changed."""
    with transaction(site.engine) as connection:
        cuts, champion = _service(connection, site)
        _demand_next(site, day, cuts)
    findings = gate.look(gate.checks(site.options.gate, "before"), _day(site, cuts.end))
    state = "held" if gate.outcome(findings) == "hold" else "promoted"
    return Outcome(0, date_of(cuts.end), state, tuple(findings), champion=champion)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Begun:
    """Where an update stands before its first step."""

    run: Run
    starts: tuple[int, ...]  # of the periods closed so far
    work: list[close.Work]
    champion: str

    @property
    def number(self) -> int:
        """Of the period to close."""
        return len(self.starts) + 1


def _update(site: Site, held: Lease, day: str | None, tell: Tell, accept: int | None) -> Outcome:
    _ingest(site, held, day, tell)
    begun = _begin(site, held, day, accept)
    if isinstance(begun, Outcome):
        return begun
    run, begins = begun.run, begun.run.begins
    rows = _day(site, begins)
    findings = gate.look(gate.checks(site.options.gate, "before"), rows)
    note(run=run.id, date=date_of(begins))
    boundary("check", rows=len(rows.rows), outcome=gate.outcome(findings))
    if gate.outcome(findings) == "hold" and not accept:
        return _hold(site, held, run, findings)
    bench = Workbench(site, site.stream(days_cuts([*begun.starts, begins], begins + DAY)))
    tell(f"Judging {len(begun.work)} contender(s) on the {len(rows.rows):,} rows of {date_of(begins)}")
    seen = close.judge(bench, begun.work, begun.number)
    boundary("judge", rows=len(rows.rows))
    staging = site.versions / ".staging" / run.key
    took = close.renew(bench, begun.work, begun.number, staging, tell)
    boundary("renew", rows=sum(one["examples"] for one in took.values()))
    after = _after(site, bench, begun, staging, took)
    boundary("gate", outcome=gate.outcome(after))
    state = "promoted" if gate.outcome(after) == "pass" else "kept"
    outcome = Outcome(run.id, date_of(begins), state, (*after, *findings), judged=seen)  # type: ignore[arg-type]
    closed = Closed(((begun.number, begins, begins + DAY),))
    done = commit(site, held, run, closed, begun.work, staging, took, outcome, begun.champion)
    feedback.clear(site, begins + DAY)
    return done


def _ingest(site: Site, held: Lease, day: str | None, tell: Tell) -> None:
    """The spool, up to the end of the day to close; nothing where the day is closed already, or is not the next."""
    with transaction(site.engine) as connection:
        cuts, _ = _service(connection, site)
    if day is None or _checked(day) == date_of(cuts.end):
        taken = feedback.take_spool(site, held, cuts.end + DAY, now())
        if taken:
            tell(f"{taken.accepted:,} rows from the spool, {taken.already_there:,} were there already")
            boundary("ingest", rows=taken.accepted)
            return
    boundary("ingest", rows=0)


def _begin(site: Site, held: Lease, day: str | None, accept: int | None) -> _Begun | Outcome:
    with transaction(site.engine) as connection:
        cuts, champion = _service(connection, site)
        if day and (found := closed_on(connection, _checked(day))):
            return found
        _demand_next(site, day, cuts)
        held_run = waiting(connection)
        if held_run and accept != held_run:
            raise StateError(
                f"run {held_run}", "is held by the gate and waits for a person", "a decision",
                f"regraft update {site.folder} --accept {held_run}, or --skip {held_run}",
            )  # fmt: skip
        known = versions.listed(connection)
        work = [close.Work(options, *_newest(site, known, options.label)) for options in site.options.contenders]
        run = begin(connection, site, held, cuts.end, [one.version for one in work])
        return _Begun(run, tuple(start for start, _ in cuts.starts), work, champion)


def _service(connection: Connection, site: Site) -> tuple[Cuts, str]:
    """The site's cuts and the version in service."""
    cuts, champion = site.cuts(connection), versions.alias(connection, "champion")
    if cuts is None or champion is None:
        raise StateError(f"site '{site.folder}'", "has no version yet", "a site made by regraft init")
    return cuts, champion.version


def _demand_next(site: Site, day: str | None, cuts: Cuts) -> None:
    if day and _checked(day) != date_of(cuts.end):
        raise DataError(
            f"date {day}", f"is not the next day to close, which is {date_of(cuts.end)}", date_of(cuts.end),
            f"Close the days between one by one: regraft update {site.folder} --date {day} --catch-up",
        )  # fmt: skip


def _newest(site: Site, known: list[versions.Version], label: str) -> tuple[str | None, Path | None]:
    """The newest version of a contender that passed the gate, and its folder."""
    own = [v.name for v in known if v.contender == label and v.state == "good"]
    return (own[-1], site.versions / own[-1] / CONTENDER) if own else (None, None)


def _day(site: Site, begins: int) -> Day:
    """The rows of the day beside the numbers of the accepted days before it."""
    today, earliest = date_of(begins), date_of(begins - EARLIER * DAY)
    with transaction(site.engine) as connection:
        listed = [f for f in files.listed(connection) if earliest <= f.day <= today]
        last = connection.execute(select(batches).order_by(batches.c.id.desc()).limit(1)).first()
    label = LabelRule(site.options.data.label).expression().alias("label")
    rows = store.read(site.data, listed).with_columns(label, day=pl.col("time").dt.strftime(store.DAY))
    of_day = rows.filter(pl.col("day") == today).drop("day")
    parts = rows.filter(pl.col("day") < today).partition_by("day")
    schema = {"day": pl.String, **dict.fromkeys(day_numbers(of_day), pl.Float64)}
    earlier = pl.DataFrame([{"day": part["day"][0], **day_numbers(part)} for part in parts], schema=schema)
    new, there = (last.accepted, last.already_there) if last else (0, 0)
    return Day(of_day, earlier.sort("day"), new, there, begins, begins + DAY)


def _after(
    site: Site, bench: Workbench, begun: _Begun, staging: Path, took: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:  # fmt: skip
    """What the checks say of the champion's contender as it is now, against the version in service."""
    options = site.options.champion
    with transaction(site.engine) as connection:
        in_service = versions.version(connection, begun.champion)
    served = next((c for c in site.options.contenders if c.label == in_service.contender), options)
    old = bench.of_version(served, site.versions / begun.champion / CONTENDER)
    new = bench.of_version(options, staging / options.label / CONTENDER)
    cost = {"seconds": float(took[options.label]["seconds"])}
    return gate.look(gate.checks(site.options.gate, "after"), close.judged(bench, old, new, begun.number, cost))


def _hold(site: Site, held: Lease, run: Run, findings: list[Finding]) -> Outcome:
    done = Outcome(run.id, date_of(run.begins), "held", tuple(findings))
    with transaction(site.engine) as connection:
        lease.demand(connection, held)
        details = {"date": done.date, "run": run.id, "findings": [asdict(f) for f in findings]}
        ledger.append(connection, "held", details, now())
        finish(connection, done)
    return done


def skip(site: Site, run: int) -> Outcome:
    """Closes the day of a held run without learning from it: the day's batches are excluded from now on."""
    with lease.holding(site.engine, site.lease_name) as held, transaction(site.engine) as connection:
        lease.demand(connection, held)
        return _skip(connection, site, run)


def _skip(connection: Connection, site: Site, number: int) -> Outcome:
    row = connection.execute(select(runs).where(runs.c.id == number, runs.c.state == "held")).first()
    cuts = site.cuts(connection)
    if row is None or cuts is None:
        raise StateError(f"run {number}", "is not held", "the number of a run that the gate holds")
    days = [row.date]
    for batch in {f.batch for f in files.listed(connection, days)}:
        files.set_state(connection, batch, files.SKIPPED)
    done = replace(outcome_of(row), state="skipped")
    ledger.append(connection, "skipped", {"date": row.date, "run": number}, now())
    period = {"number": len(cuts.starts) + 1, "begins": cuts.end, "ends": cuts.end + DAY, "run": number}
    connection.execute(insert(periods).values(**period))
    finish(connection, done)
    return done


def _checked(day: str) -> str:
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError as error:
        raise DataError(f"date '{day}'", "is no date", "a day such as 2025-01-06") from error
