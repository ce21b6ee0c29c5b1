"""Updates: what became of every day, what the gate said, and jobs that people asked for."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from regraft.dashboard.charts import charts
from regraft.dashboard.dashboard_words import DAILY, DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.release import worker
from regraft.release.journal import FOLDER
from regraft.release.runs import findings_in
from regraft.setup.site import Site
from regraft.state import jobs
from regraft.state.database import transaction
from regraft.state.tables import runs

MOST, FAILURES = 60, 5  # rows of a table


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    with transaction(site.engine) as connection:
        newest = connection.execute(select(runs).order_by(runs.c.id.desc()).limit(MOST)).all()
        asked = jobs.listed(connection)
        drawn = charts(connection, DAILY, view, now, words, "updates") if now.newest else {}
    waiting = [row for row in newest if row.state == "held"]
    return {
        "runs": [_told(row) for row in newest], "waiting": [_told(row) for row in waiting], "jobs": asked,
        "gone": {job.id for job in asked if worker.gone(job)}, "failures": _failures(site), "charts": drawn,
        "filters": bool(drawn), "refresh": 5 if any(not job.ended for job in asked) else 0,
    }  # fmt: skip


def _told(row: Any) -> dict[str, Any]:
    details = json.loads(row.details)
    judged = details.get("judged") or {}
    return {
        "id": row.id, "date": row.date, "state": row.state, "step": row.step, "versions": details.get("versions", []),
        "seconds": (row.ended - row.begun) / 1000 if row.ended else None, "findings": findings_in(details),
        "champion": details.get("champion", ""), "judged": judged,
    }  # fmt: skip


def _failures(site: Site) -> list[dict[str, Any]]:
    """The newest steps that ended in an error, newest first."""
    found: list[dict[str, Any]] = []
    for path in sorted((site.reports / FOLDER).glob("*.jsonl"), reverse=True)[:14]:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
        found += [line for line in lines[::-1] if line.get("step") == "failed"]
    return found[:FAILURES]
