"""One version: what it is, what it was made from and what the gate said of it."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.release.runs import findings_in
from regraft.release.why import why
from regraft.setup.config import ContenderOptions
from regraft.setup.site import Site
from regraft.state import versions
from regraft.state.database import transaction
from regraft.state.tables import runs

MOST = 30  # rows of a table
BYTES = ("adapter_bytes", "cache_bytes", "peak_memory")
PROOF = ("run", "run_key", "manifest", "code", "parent")  # for who checks, not for who decides


def content(site: Site, view: View, words: DashboardWords, now: Standing, version: str) -> dict[str, Any]:
    found = why(site, version)
    with transaction(site.engine) as connection:
        run = connection.execute(select(runs.c.details).where(runs.c.id == found["run"])).scalar_one()
        was_live = version in {alias.version for alias in versions.history(connection, "champion")}
    facts = {
        "contender": ContenderOptions.model_validate(found["contender"]).label, "state": words.said(found["state"]),
        "saw nothing from": found["saw_nothing_from"], "day outcome": words.said(found["verdict"]),
        "examples": words.value(found.get("examples")), "people known": words.value(found.get("people")),
        "took": words.seconds(found.get("seconds") or 0.0),
    }  # fmt: skip
    cost = {key: words.size(v) if key in BYTES else words.value(v) for key, v in (found.get("cost") or {}).items() if v}
    return {
        "name": version, "facts": facts, "cost": cost, "proof": {key: found[key] for key in PROOF if found.get(key)},
        "findings": findings_in(json.loads(run)), "findings_are_of": found.get("findings_are_of", ""),
        "batches": found["batches"][-MOST:], "n_batches": len(found["batches"]),
        "step": _step(found["state"], version == now.champion, was_live), "title": version,
    }  # fmt: skip


def _step(state: str, in_service: bool, was_live: bool) -> str:
    """The action that a reader may want; empty where there is none."""
    if state != versions.GOOD or in_service:
        return ""
    return "rollback" if was_live else "promote"
