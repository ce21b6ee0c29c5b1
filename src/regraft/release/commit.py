"""The end of an update: versions get their immutable names, then one SQL transaction changes all that is read."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from regraft import __version__
from regraft.files import remove
from regraft.release.close import Work
from regraft.release.journal import boundary
from regraft.release.runs import Outcome, Run, finish, now
from regraft.setup.manifest import publish
from regraft.setup.site import Site
from regraft.state import files, lease, ledger, pilots, versions
from regraft.state.database import transaction
from regraft.state.lease import Lease
from regraft.state.tables import batches, merged, periods
from regraft.state.versions import Version


@dataclass(frozen=True)
class Closed:
    """Periods that were closed: number, first ms and exclusive end of each."""

    periods: tuple[tuple[int, int, int], ...]

    @property
    def cut(self) -> int:
        return self.periods[-1][2]


def commit(
    site: Site, held: Lease, run: Run, closed: Closed, work: list[Work], staging: Path,
    took: Mapping[str, Mapping[str, Any]], outcome: Outcome, champion: str | None, leading: str,
    rejected: Set[str] = frozenset(),
) -> Outcome:  # fmt: skip
    """Publishes staging/LABEL of every contender and commits; `champion` is the version in service until now.

    The new version of the `leading` contender takes its place where the outcome is `promoted`. Nothing goes on from
    versions of the `rejected` ones. The alias `challenger` follows the contender that a pilot runs with, else the
    first of the others.
    """
    promoted = outcome.state == "promoted"
    with transaction(site.engine) as connection:
        first, sources = versions.next_number(connection), _sources(connection)
        pilot = pilots.running(connection)
    made = []
    for place, one in enumerate(work):
        label, name = one.options.label, versions.version_name(site.options.name, first + place)
        lineage = {
            **sources, "contender": one.options.model_dump(mode="json"), "parent": one.version,
            "closes": [number for number, _, _ in closed.periods], "settings": site.options.model_dump(mode="json"),
            "code": __version__, **took[label],
        }  # fmt: skip
        manifest = publish(staging / label, site.versions / name, {"run": run.key, "lineage": lineage})
        state = "rejected" if label in rejected else "good"
        made.append(Version(name, first + place, label, run.id, closed.cut, manifest, lineage, state, now()))
    boundary("publish", versions=[version.name for version in made])
    own = next(v.name for v in made if v.contender == leading)
    rivals = [v for v in made if v.contender != leading]
    if pilot:
        rivals = [v for v in rivals if v.contender == pilot.plan["treatment"]]
    challenger = next(iter(rivals), None)
    done = replace(outcome, versions=tuple(v.name for v in made), champion=own if promoted else champion or "")
    with transaction(site.engine) as connection:
        lease.demand(connection, held)
        for version in made:
            versions.add(connection, version)
        details = {"date": done.date, "run": run.id, "findings": [asdict(f) for f in done.findings]}
        if promoted:
            versions.move(connection, "champion", own, champion, "promoted", details, now())
        else:
            ledger.append(connection, "kept", {**details, "champion": champion}, now())
        if challenger and challenger.state == "good":
            versions.point(connection, "challenger", challenger.name, "challenger", {"run": run.id}, now())
        files.set_state(connection, files.in_state(connection, files.HELD), files.ACCEPTED)
        for number, begins, ends in closed.periods:
            connection.execute(insert(periods).values(number=number, begins=begins, ends=ends, run=run.id))
        finish(connection, done)
    boundary("commit", outcome=done.state, champion=done.champion)
    remove(site.staging / run.key)
    return done


def _sources(connection: Connection) -> dict[str, Any]:
    """What versions are made from: batches by number and sha256, as they came in; one that was held is accepted."""
    found = select(batches.c.id, batches.c.sha256).where(batches.c.state.in_(files.TO_CLOSE))
    rows = connection.execute(found.where(batches.c.id.not_in(select(merged.c.batch))))
    return {"batches": [[row.id, row.sha256] for row in rows.all()]}
