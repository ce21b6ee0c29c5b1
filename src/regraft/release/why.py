"""Why a version is as it is: what it was made from, by which run, and what the gate said of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from regraft.release.runs import Outcome, date_of, outcome_of
from regraft.setup.site import Site
from regraft.state import versions
from regraft.state.database import transaction
from regraft.state.tables import batches, runs


def why(site: Site, name: str) -> dict[str, Any]:
    """Lineage of a version to batches, cut, settings, parent and verdict, as JSON can hold it.

    The gate compares one version of a day with the champion; `findings_are_of` names it where it is another one.
    """
    with transaction(site.engine) as connection:
        version = versions.version(connection, name)
        row = connection.execute(select(runs).where(runs.c.id == version.run)).one()
        numbers = [number for number, _ in version.lineage["batches"]]
        sources = connection.execute(select(batches).where(batches.c.id.in_(numbers)).order_by(batches.c.id)).all()
        outcome = outcome_of(row)
        compared = _compared(connection, outcome)
        pointed = [a for alias in versions.ALIASES for a in versions.history(connection, alias) if a.version == name]
    lineage = dict(version.lineage)
    lineage["batches"] = [
        {"batch": b.id, "source": b.source, "sha256": b.sha256, "rows": b.accepted, "state": b.state} for b in sources
    ]
    return {
        "version": name,
        "contender": version.contender,
        "state": version.state,
        "saw_nothing_from": date_of(version.cut),
        "run": version.run,
        "run_key": row.key,
        "verdict": outcome.state,
        "findings": [f"{f.outcome}: {f.check}: {f.reason}" for f in outcome.findings],
        **({"findings_are_of": compared} if compared not in ("", name) else {}),
        "aliases": [f"{a.name} (move {a.epoch})" for a in pointed],
        "manifest": version.manifest,
        **lineage,
    }


def _compared(connection: Connection, outcome: Outcome) -> str:
    """The version of a run that the gate compared with the champion: the new one of the champion's contender."""
    if not (outcome.findings and outcome.champion):
        return ""
    leading = versions.version(connection, outcome.champion).contender
    return next((name for name in outcome.versions if versions.version(connection, name).contender == leading), "")
