"""The daily update: named steps, each of which can be killed and run again, and one transaction that decides.

    ingest   what servers have spooled becomes rows
    retain   what is older than regraft.yaml allows is let go of, so that nothing learns from it
    check    what does the gate say of the day's rows?
    judge    how well did the versions in use foresee the day?
    renew    every contender learns from it
    gate     is the new version at least as good as the champion?
    publish  versions get their immutable names
    commit   versions, verdict, ledger and aliases change in one SQL transaction

Until the commit nothing that anybody reads has changed. After it the day's numbers are written (release/aggregates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Connection

from regraft.counted import counted
from regraft.data import store
from regraft.data.assign import COMPARED
from regraft.data.periods import Cuts
from regraft.data.sides import Side
from regraft.errors import DataError
from regraft.release import aggregates, close, feedback, gate, retention
from regraft.release.arrivals import EARLIER, day_of
from regraft.release.blocked import demand_nobody_returned
from regraft.release.commit import Closed, commit
from regraft.release.comparison import compared
from regraft.release.evidence import Finding, Foreseen
from regraft.release.held import hold, resolve
from regraft.release.journal import boundary, note
from regraft.release.recovery import demand_whole, working
from regraft.release.runs import Outcome, Run, begin, closed, closed_on, date_of, now
from regraft.setup.config import ContenderOptions
from regraft.setup.site import DAY, Site, days_cuts
from regraft.state import files, pilots, versions
from regraft.state.database import transaction
from regraft.state.lease import Lease
from regraft.state.versions import Version
from regraft.workbench import CONTENDER, Workbench

Tell = Callable[[str], object]


def update(site: Site, day: str | None = None, tell: Tell = str, accept: int | None = None) -> Outcome:
    """Closes the next day, or says again what became of one that is closed. A day is closed, and promotes, once.

    `accept` is the run that a person lets pass although the gate held it.

    Raises DataError where the day is not the next one, StateError where another process works on the site, a held run
    waits for a person, or people who were erased came back with a backup.
    """
    with working(site, "update") as held:
        demand_nobody_returned(site)
        demand_whole(site)
        done = _update(site, held, day, tell, accept)
        aggregates.refresh(site, tell)
        return replace(done, ctr=aggregates.click_rate(site, done.date))


def catch_up(site: Site, day: str | None, tell: Tell = str) -> list[Outcome]:
    """Closes all days up to `day` (default: see `_last_day`), one by one; stops at one that is held.

    It ends where updates on each of these days would have ended: every day is judged on its own.
    """
    with transaction(site.engine) as connection:
        cuts = site.cuts(connection)
    last = _checked(day) if day else _last_day(site, cuts)
    done: list[Outcome] = []
    while cuts is not None and date_of(cuts.end) <= last and (not done or done[-1].state != "held"):
        done.append(update(site, date_of(cuts.end), tell))
        with transaction(site.engine) as connection:
            cuts = site.cuts(connection)
    return done


def _last_day(site: Site, cuts: Cuts | None) -> str:
    """The last day that has rows in files, or is over and has events that a server spooled."""
    with transaction(site.engine) as connection:
        days = [f.day for f in files.listed(connection, states=files.TO_CLOSE) if f.day != store.ITEMS]
    spooled = {date_of(row["time"]) for row in site.spooled_events(cuts.end)} if cuts else set()
    return max([*days, *(one for one in spooled if one < date_of(now()))])


def look(site: Site, day: str | None = None) -> Outcome:
    """What the gate says of the next day's rows; nothing is changed."""
    with transaction(site.engine) as connection:
        cuts, champion = _service(connection, site)
        _demand_next(site, day, cuts)
    findings = gate.look(gate.checks(site.options.gate, "before"), day_of(site, cuts.end))
    state = "held" if gate.outcome(findings) == "hold" else "promoted"
    return Outcome(0, date_of(cuts.end), state, tuple(findings), champion=champion.name)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Begun:
    """Where an update stands before its first step."""

    run: Run
    starts: tuple[int, ...]  # of the periods closed so far
    work: list[close.Work]
    champion: Version
    leading: str  # name of the contender whose new version may take the champion's place

    @property
    def number(self) -> int:
        """Of the period to close."""
        return len(self.starts) + 1


@dataclass
class _AtWork:
    """Contenders that share a bench, and the seconds that reading for it and work at it took."""

    bench: Workbench
    work: list[close.Work]
    seconds: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        began = perf_counter()
        yield
        self.seconds += perf_counter() - began


def _update(site: Site, held: Lease, day: str | None, tell: Tell, accept: int | None) -> Outcome:
    read = _ingest(site, held, day, tell)
    _retain(site, held, day, tell)
    begun = _begin(site, held, day, accept)
    if isinstance(begun, Outcome):
        return begun
    run, begins = begun.run, begun.run.begins
    rows = day_of(site, begins)
    findings = gate.look(gate.checks(site.options.gate, "before"), rows)
    note(run=run.id, date=date_of(begins))
    boundary("check", rows=len(rows.rows), outcome=gate.outcome(findings))
    if gate.outcome(findings) == "hold" and not accept:
        return hold(site, held, run, rows, findings)
    benches = _benches(site, begun, days_cuts([*begun.starts, begins], begins + DAY))
    tell(f"Judging {counted(len(begun.work), 'contenders')} on the {len(rows.rows):,} rows of {date_of(begins)}")
    seen: dict[str, dict[str, float]] = {}
    served = _served(site, rows.rows, begins)
    for one in benches:
        with one.timed():
            seen |= close.judge(one.bench, one.work, begun.number, served)
    foreseen = _foreseen(site, begun, seen)
    findings = gate.ordered(
        [*gate.look(gate.checks(site.options.gate, "judged"), foreseen), *findings] if foreseen else findings
    )
    boundary("judge", rows=len(rows.rows), outcome=gate.outcome(findings))
    if gate.outcome(findings) == "hold" and not accept:
        return hold(site, held, run, rows, findings)
    staging = site.staging / run.key
    took: dict[str, dict[str, Any]] = {}
    for one in benches:
        with one.timed():
            new = close.renew(one.bench, one.work, begun.number, staging, tell)
        took |= close.with_whole(new, {label: found["seconds"] for label, found in new.items()}, one.seconds)
    boundary("renew", rows=sum(found["examples"] for found in took.values()))
    own = next(one.bench for one in benches if begun.leading in {work.options.label for work in one.work})
    after, broken = _after(own, begun, staging, took)
    boundary("gate", outcome=gate.outcome(after))
    kept = gate.outcome(after) != "pass"
    outcome = Outcome(run.id, date_of(begins), "kept" if kept else "promoted", (*after, *findings), judged=seen)
    period = Closed(((begun.number, begins, begins + DAY),))
    rejected = broken | ({begun.leading} if kept else set())
    done = commit(
        site, held, run, period, begun.work, staging, took, outcome, begun.champion.name, begun.leading, rejected
    )
    feedback.clear(site, begins + DAY, read)
    return done


def _ingest(site: Site, held: Lease, day: str | None, tell: Tell) -> dict[Path, int]:
    """The spool, up to the end of the day to close, and the bytes of the segments that were read.

    Nothing where the day is closed already, or is not the next.
    """
    with transaction(site.engine) as connection:
        cuts, _ = _service(connection, site)
    if day is None or _checked(day) == date_of(cuts.end):
        taken = feedback.take_spool(site, held, cuts.end + DAY, now())
        if counts := taken.counts:
            tell(f"{counted(counts.accepted, 'rows')} from the spool, {counts.already_there:,} were there already")
        boundary("ingest", rows=counts.accepted if counts else 0)
        return taken.sizes
    boundary("ingest", rows=0)
    return {}


def _retain(site: Site, held: Lease, day: str | None, tell: Tell) -> None:
    """Ages are those at the end of the day to close; nothing is let go of where the day is not the next."""
    with transaction(site.engine) as connection:
        cuts, _ = _service(connection, site)
    if day is None or _checked(day) == date_of(cuts.end):
        retention.apply(site, held, min(cuts.end + DAY, now()), tell)


def _begin(site: Site, held: Lease, day: str | None, accept: int | None) -> _Begun | Outcome:
    with transaction(site.engine) as connection:
        cuts, champion = _service(connection, site)
        if day and (found := closed_on(connection, _checked(day))):
            return found
        _demand_next(site, day, cuts)
        known = versions.listed(connection)
        work = [_work(site, known, options) for options in site.options.contenders]
        run = begin(connection, site, held, cuts.end, [one.version for one in work])
        resolve(connection, site, run, accept)
        starts = tuple(start for start, _ in cuts.starts)
        return _Begun(run, starts, work, champion, site.options.leading(champion.contender))


def _benches(site: Site, begun: _Begun, cuts: Cuts) -> list[_AtWork]:
    """Workbenches with the contenders that work at each: one, or one per side of a pilot that keeps its arms apart."""
    groups: dict[Side | None, list[close.Work]] = {}
    with transaction(site.engine) as connection:
        for one in begun.work:
            groups.setdefault(site.side_of(connection, one.options.label), []).append(one)
    found = []
    for side, work in groups.items():
        began = perf_counter()
        bench = Workbench(site, site.stream(cuts, held=True, side=side), side)
        found.append(_AtWork(bench, work, perf_counter() - began))
    return found


def _served(site: Site, rows: pl.DataFrame, begins: int) -> close.Served:
    """Who was served a list of a running pilot on the day that begins at `begins`, by the arm's contender."""
    with transaction(site.engine) as connection:
        pilot = pilots.running(connection)
    if pilot is None:
        return close.NOBODY
    lists = rows.filter(pl.col("time").dt.epoch("ms").is_between(begins, begins + DAY, closed="left"))
    return {
        pilot.plan[arm]: {arm: set(lists.filter(pl.col("arm") == arm)["uid"])} for arm in COMPARED if arm in pilot.plan
    }


def _service(connection: Connection, site: Site) -> tuple[Cuts, Version]:
    """The site's cuts and the version in service."""
    cuts, champion = site.cuts(connection), versions.alias(connection, "champion")
    if cuts is None or champion is None:
        raise versions.none_yet(site.folder)
    return cuts, versions.version(connection, champion.version)


def _demand_next(site: Site, day: str | None, cuts: Cuts) -> None:
    if day and _checked(day) != date_of(cuts.end):
        raise DataError(
            "date {day}", "is not the next day to close, which is {next}", "{next}",
            "Close the days between one by one: regraft update {site} --date {day} --catch-up",
            day=day, next=date_of(cuts.end), site=site.folder,
        )  # fmt: skip


def _work(site: Site, known: list[Version], options: ContenderOptions) -> close.Work:
    """Goes on from the newest version that passed the gate, or begins anew where that reads another template."""
    own = [v for v in known if v.contender == options.label and v.state == "good"]
    if not own:
        return close.Work(options)
    newest, folder = ContenderOptions.model_validate(own[-1].lineage["contender"]), site.versions / own[-1].name
    if newest.template != options.template:
        return close.Work(options, judged=(newest, folder / CONTENDER))
    return close.Work(options, own[-1].name, folder / CONTENDER)


def _foreseen(site: Site, begun: _Begun, seen: Mapping[str, Mapping[str, float]]) -> Foreseen | None:
    """How well the contender in service foresaw the day and earlier ones; None where the day has no rows."""
    name = begun.champion.contender
    if name not in seen:
        return None
    with transaction(site.engine) as connection:
        outcomes = closed(connection, EARLIER)
    earlier = [found.judged[name]["auc"] for found in outcomes if name in found.judged]
    return Foreseen(seen[name]["auc"], int(seen[name]["rows"]), int(seen[name]["liked"]), tuple(earlier))


def _after(
    bench: Workbench, begun: _Begun, staging: Path, took: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Finding], set[str]]:
    """What the checks say of the leading contender as it is now, and the challengers whose scores are no numbers."""
    made = {c.label: bench.of_version(c, staging / c.label / CONTENDER) for c in bench.site.options.contenders}
    new, name = made.pop(begun.leading), begun.leading
    seconds = float(took[name]["seconds"])
    seen = compared(bench, new, begun.champion, begun.number, seconds=seconds, contender=name, challengers=made)
    broken = {label for label, scores in seen.challengers.items() if not np.isfinite(scores).all()}
    return gate.look(gate.checks(bench.site.options.gate, "after"), seen), broken


def _checked(day: str) -> str:
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError as error:
        raise DataError("date '{day}'", "is no date", "a day such as 2025-01-06", day=day) from error
