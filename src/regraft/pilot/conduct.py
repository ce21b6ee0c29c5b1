"""Conducting a pilot: plan, start, ramp, extend, stop, decide. Every step is one transaction and a ledger entry.

A pilot counts in days of the site: it begins with the first day that is not closed yet, and what is looked at are
closed days. So a past that is replayed gives the pilot that was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from regraft.errors import ConfigError, StateError
from regraft.pilot.evidence import Evidence, evidence_of, found, snapshot
from regraft.pilot.power import Design
from regraft.pilot.terms import PilotOptions, Terms, terms_for
from regraft.pilot.verdict import Decision
from regraft.release.runs import now
from regraft.said import Said
from regraft.setup.manifest import verify
from regraft.setup.site import DAY, Site
from regraft.state import lease, pilots, versions
from regraft.state.database import transaction
from regraft.state.pilots import Pilot
from regraft.state.versions import Version

ROLLED_OUT = "rolled out by a pilot"


@dataclass(frozen=True)
class Decided:
    """What became of a pilot. `champion` is in service from now on; `decision` extend: nothing was decided."""

    decision: Decision
    evidence: Evidence
    champion: str
    was: str


def plan(
    site: Site, name: str, treatment: str | None = None, share: float = 1.0, options: PilotOptions | None = None
) -> tuple[Pilot, Design]:  # fmt: skip
    """Plans a pilot of a challenger, by default the first of regraft.yaml, sized by the site's own past."""
    with transaction(site.engine) as connection:
        control = _champion(connection, site).contender
        rivals = [c.label for c in site.options.contenders if c.label != control]
    chosen = treatment or next(iter(rivals), "")
    if chosen not in rivals:
        raise ConfigError(
            "treatment '{chosen}'", "is no challenger", "one of {rivals}",
            "Name contenders under `challengers` in regraft.yaml; the next update makes their first version",
            chosen=chosen, rivals=", ".join(rivals) or Said("(none yet)"),
        )  # fmt: skip
    terms, design = terms_for(site, control, chosen, options or PilotOptions.of(site), share)
    with _changing(site) as connection:
        return pilots.add(connection, name, terms.model_dump(mode="json"), now()), design


def start(site: Site, name: str | None, share: float) -> Pilot:
    """Enrols a share of the people; the alias challenger points to the newest good version of the treatment."""
    with _changing(site) as connection:
        pilot = found(pilots.listed(connection), name, site)
        terms, begun = Terms.model_validate(pilot.plan), site.closed_cuts(connection).end
        over = begun - DAY  # lists of its last day are answered on the next one too
        if late := [p.name for p in pilots.listed(connection) if p.begun is not None and (p.ended or 0) >= over]:
            raise StateError(
                "pilot '{pilot}'", "has lists that may still be answered", "a pilot that is over for a closed day",
                "Close the days up to then first: regraft update {site}", pilot=late[0], site=site.folder,
            )  # fmt: skip
        newest = _newest(connection, terms.treatment)
        verify(site.versions / newest.name, newest.manifest)
        _point(connection, newest, pilot.name)
        return pilots.start(connection, pilot.name, share, begun, now())


def ramp(site: Site, name: str | None, share: float) -> Pilot:
    """Enrols more people."""
    with _changing(site) as connection:
        return pilots.ramp(connection, found(pilots.listed(connection), name, site).name, share, now())


def extend(site: Site, name: str | None, weeks: int) -> Pilot:
    """Lets people enter for more weeks. The intervals stay those of the plan, which hold however long it takes."""
    with _changing(site) as connection:
        pilot = found(pilots.listed(connection), name, site)
        terms = Terms.model_validate(pilot.plan)
        longer = terms.model_copy(update={"more_weeks": terms.more_weeks + weeks})
        return pilots.replan(connection, pilot.name, longer.model_dump(mode="json"), "pilot extended", now())


def stop(site: Site, name: str | None, reason: str) -> Pilot:
    """Serves everybody the champion again, undecided: its evidence can still be decided on."""
    with _changing(site) as connection:
        pilot = found(pilots.listed(connection), name, site)
        ended = site.closed_cuts(connection).end
        return pilots.end(connection, pilot.name, pilots.STOPPED, {"reason": reason}, ended, now())


def decide(site: Site, name: str | None = None, against: Decision | None = None, reason: str = "") -> Decided:
    """Does what the verdict says: rolls the challenger out, or ends the pilot; nothing where it says extend.

    `against` is what a person decides instead, with a reason; both go into the ledger with the evidence.
    """
    evidence = evidence_of(site, name)
    decision = against or evidence.verdict.decision
    if against and against != evidence.verdict.decision and not reason:
        raise ConfigError(
            "decision '{against}'", "is not what the numbers say, which is {verdict}", "a reason",
            "Give one with --reason; it goes into the ledger", against=against, verdict=evidence.verdict.decision,
        )  # fmt: skip
    with _changing(site) as connection:
        was = _champion(connection, site).name
        if decision == "extend":
            return Decided(decision, evidence, was, was)
        champion = was
        details = {"decision": decision, "reason": reason, "evidence": snapshot(evidence)}
        pilot = evidence.pilot
        if decision == "roll-out":
            newest = _newest(connection, evidence.terms.treatment)
            verify(site.versions / newest.name, newest.manifest)
            champion = newest.name
            versions.move(connection, "champion", champion, was, ROLLED_OUT, {"pilot": pilot.name}, now())
        pilots.end(connection, pilot.name, pilots.DECIDED, details, site.closed_cuts(connection).end, now())
    return Decided(decision, evidence, champion, was)


@contextmanager
def _changing(site: Site) -> Iterator[Connection]:
    """One transaction under the site's lease."""
    with lease.holding(site.engine, site.lease_name) as held, transaction(site.engine) as connection:
        lease.demand(connection, held)
        yield connection


def _champion(connection: Connection, site: Site) -> Version:
    alias = versions.alias(connection, "champion")
    if alias is None:
        raise versions.none_yet(site.folder)
    return versions.version(connection, alias.version)


def _newest(connection: Connection, contender: str) -> Version:
    """The contender's newest version that is good."""
    good = [v for v in versions.listed(connection) if v.contender == contender and v.state == versions.GOOD]
    if not good:
        raise StateError(
            "contender '{contender}'", "has no good version", "one that an update has made",
            "Name it under `challengers` in regraft.yaml, and close a day with: regraft update", contender=contender,
        )  # fmt: skip
    return good[-1]


def _point(connection: Connection, to: Version, pilot: str) -> None:
    """The alias challenger at this version."""
    at = versions.alias(connection, "challenger")
    if at is None or at.version != to.name:
        versions.point(connection, "challenger", to.name, "challenger", {"pilot": pilot}, now())
