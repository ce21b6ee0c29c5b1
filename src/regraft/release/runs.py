"""Runs: what was begun, under which key, and how it ended. Equal inputs have equal keys, so nothing runs twice."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from regraft import __version__
from regraft.data import store
from regraft.errors import DataError
from regraft.release.evidence import Finding
from regraft.said import Said
from regraft.setup.site import Site
from regraft.state import files, lease, ledger, pilots
from regraft.state.files import Listed
from regraft.state.lease import Lease
from regraft.state.tables import runs

State = Literal["promoted", "kept", "held", "skipped"]
CODES = {"promoted": 0, "kept": 10, "held": 30, "skipped": 0}  # exit codes; 20 is a problem with the data
CLOSED = ("promoted", "kept", "skipped")
APPROVED = "days approved"  # kind of the ledger entry with the numbers of days that the gate compares with (anchor)


@dataclass(frozen=True)
class Run:
    """Number and key of a run, and the first millisecond of the day that it closes."""

    id: int
    key: str
    begins: int


@dataclass(frozen=True)
class Outcome:
    """What became of one update."""

    run: int
    date: str
    state: State
    findings: tuple[Finding, ...] = ()
    versions: tuple[str, ...] = ()
    champion: str = ""
    judged: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ctr: Mapping[str, float] = field(default_factory=dict)  # of the day: value, low, high, n; see aggregates.click_rate

    @property
    def code(self) -> int:
        return CODES[self.state]


def begin(connection: Connection, site: Site, held: Lease, begins: int, parents: list[str | None]) -> Run:
    """The run that closes the day from `begins` on: taken up where one of this key was begun before."""
    lease.demand(connection, held)
    listed = [[f.name, f.sha256] for f in files.listed(connection, states=files.TO_CLOSE) if not _later(f, begins)]
    decides = [site.options.model_dump(mode="json"), begins, listed, parents, __version__]
    if pilot := pilots.running(connection):  # who learns from whom
        decides += [pilot.name, pilot.plan.get("slice")]
    if approved := ledger.newest(connection, APPROVED):  # what the gate compares with
        decides.append(approved.hash)
    key = hashlib.sha256(ledger.canonical(decides).encode()).hexdigest()[:32]
    found = connection.execute(select(runs.c.id).where(runs.c.key == key)).scalar()
    if found:
        connection.execute(update(runs).where(runs.c.id == found).values(fence=held.fence))
        return Run(found, key, begins)
    added = connection.execute(
        insert(runs)
        .values(
            key=key, kind="update", date=date_of(begins), state="running", step="", fence=held.fence, details="{}",
            begun=now(),
        )
        .returning(runs.c.id)
    )  # fmt: skip
    return Run(added.scalar_one(), key, begins)


def _later(file: Listed, begins: int) -> bool:
    """Whether a file holds rows of days after the one that is closed."""
    return file.day != store.ITEMS and file.day > date_of(begins)


def finish(connection: Connection, outcome: Outcome) -> None:
    """Writes down how a run ended."""
    details = json.dumps({**asdict(outcome), "findings": [_stored(f) for f in outcome.findings]}, ensure_ascii=False)
    connection.execute(
        update(runs)
        .where(runs.c.id == outcome.run)
        .values(state=outcome.state, step="done", details=details, ended=now())
    )


def outcome_of(row: Any) -> Outcome:
    """What `finish` wrote."""
    found = json.loads(row.details)
    found["findings"] = findings_in(found)
    return Outcome(**{**found, "versions": tuple(found["versions"])})


def findings_in(details: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What the gate said, from the details of a run; empty where it has said nothing."""
    return tuple(_read(**stored) for stored in details.get("findings", ()))


def _stored(finding: Finding) -> dict[str, Any]:
    """A finding, and the parts of its reason: other languages are made of these."""
    parts = {"said": finding.reason.parts} if isinstance(finding.reason, Said) else {}
    return asdict(finding) | parts


def _read(said: list[Any] | None = None, **stored: Any) -> Finding:
    """What `_stored` made; runs of earlier versions have no parts."""
    found = Finding(**stored)
    return replace(found, reason=Said.of(said)) if said else found


def closed_on(connection: Connection, day: str) -> Outcome | None:
    """What became of a day (2025-01-06) that is closed already."""
    row = connection.execute(select(runs).where(runs.c.date == day, runs.c.state.in_(CLOSED))).first()
    return outcome_of(row) if row else None


def closed(connection: Connection, last: int) -> list[Outcome]:
    """What became of the last days that were learnt from, oldest first."""
    query = select(runs).where(runs.c.state.in_(("promoted", "kept"))).order_by(runs.c.date.desc()).limit(last)
    return [outcome_of(row) for row in connection.execute(query)][::-1]


def waiting(connection: Connection) -> int | None:
    """The run that the gate holds for a person."""
    return connection.execute(select(runs.c.id).where(runs.c.state == "held")).scalar()


def date_of(ms: int) -> str:
    """2025-01-06"""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


def day_ms(day: str) -> int:
    """The first ms of 2025-01-06, UTC; DataError where it is no date."""
    try:
        return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise DataError(f"date '{day}'", "is no date", "a day such as 2025-01-06") from error


def now() -> int:
    """ms since 1970 UTC."""
    return round(time.time() * 1000)
