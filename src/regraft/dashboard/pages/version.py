"""One version: what it was made from and what the gate said of it."""

from __future__ import annotations

from typing import Any

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.release.why import why
from regraft.setup.site import Site


def content(site: Site, view: View, words: DashboardWords, now: Standing, version: str) -> dict[str, Any]:
    found = why(site, version)
    facts = {k: v for k, v in found.items() if isinstance(v, str | int | float) and k != "version"}
    cost = {k: v for k, v in (found.get("cost") or {}).items() if isinstance(v, int | float)}
    return {
        "name": version, "facts": facts, "cost": cost, "findings": found["findings"], "batches": found["batches"][-30:],
        "n_batches": len(found["batches"]), "title": version,
    }  # fmt: skip
