"""Why a version is as it is: what it was made from, by which run, and what the gate said of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from regraft.release.runs import date_of, outcome_of
from regraft.setup.site import Site
from regraft.state import versions
from regraft.state.database import transaction
from regraft.state.tables import batches, runs


def why(site: Site, name: str) -> dict[str, Any]:
    """Lineage of a version to batches, cut, settings, parent and verdict, as JSON can hold it."""
    with transaction(site.engine) as connection:
        version = versions.version(connection, name)
        row = connection.execute(select(runs).where(runs.c.id == version.run)).one()
        numbers = [number for number, _ in version.lineage["batches"]]
        sources = connection.execute(select(batches).where(batches.c.id.in_(numbers)).order_by(batches.c.id)).all()
        pointed = [a for alias in versions.ALIASES for a in versions.history(connection, alias) if a.version == name]
    outcome = outcome_of(row)
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
        "aliases": [f"{a.name} (move {a.epoch})" for a in pointed],
        "manifest": version.manifest,
        **lineage,
    }
