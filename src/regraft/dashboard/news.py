"""What changed in the last week, in sentences, from runs, ledger and erasures."""

from __future__ import annotations

import json
from datetime import date, timedelta

from sqlalchemy import Connection, select

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.release.runs import findings_in
from regraft.state import versions
from regraft.state.tables import ledger, runs

WEEK, MOST = 7, 5  # days, sentences
ENDS = ("promoted", "kept", "held", "skipped")


def news(connection: Connection, words: DashboardWords, last: str) -> list[str]:
    """At most five sentences on the seven days up to `last`, the most important first."""
    first = (date.fromisoformat(last) - timedelta(days=WEEK - 1)).isoformat()
    found = connection.execute(select(runs).where(runs.c.date.between(first, last)).order_by(runs.c.date)).all()
    counts = {state: sum(row.state == state for row in found) for state in ENDS}
    lines = [words("news waits", day=row.date) for row in found if row.state == "held"]
    if champion := versions.alias(connection, "champion"):
        lines.append(words("news champion", version=champion.version))
    if found:
        lines.append(words("news updates", n=len(found), **counts))
    kept = [row for row in found if row.state == "kept"]
    lines += [words("news kept", day=row.date, reason=_reason(row.details, words)) for row in kept[-1:]]
    by_hand = connection.execute(
        select(ledger).where(ledger.c.kind.in_(("rolled back", "promoted by hand"))).order_by(ledger.c.id.desc())
    ).all()
    lines += [words(f"news {row.kind}", version=json.loads(row.details).get("to", "–")) for row in by_hand[:1]]
    return lines[:MOST]


def _reason(details: str, words: DashboardWords) -> str:
    """What the gate said first."""
    findings = findings_in(json.loads(details))
    return f"{findings[0].check}: {words.sentence(findings[0].reason)}" if findings else "–"
