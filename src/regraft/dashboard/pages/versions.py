"""Versions: what was released, what is in service, and the ledger of who decided what."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.release.runs import date_of
from regraft.setup.site import Site
from regraft.state import ledger, versions
from regraft.state.database import transaction
from regraft.state.tables import versions as made

MOST = 60  # rows of a table


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    with transaction(site.engine) as connection:
        wanted = (made.c.name, made.c.contender, made.c.state, made.c.cut)
        known = connection.execute(select(*wanted).order_by(made.c.number.desc()).limit(MOST)).all()
        total = connection.execute(select(func.count()).select_from(made)).scalar_one()
        aliases = [a for name in versions.ALIASES if (a := versions.alias(connection, name))]
        earlier = [a.version for a in versions.history(connection, "champion")]
        entries = ledger.entries(connection)
    pointed = {v.name: [a.name for a in aliases if a.version == v.name] for v in known}
    rows = [
        {
            "name": v.name, "contender": v.contender, "state": v.state, "cut": date_of(v.cut),
            "aliases": pointed[v.name], "was_live": v.name in earlier,
        }
        for v in known
    ]  # fmt: skip
    return {
        "versions": rows, "aliases": aliases, "n_versions": total, "n_entries": len(entries),
        "entries": [_entry(entry, words) for entry in entries[::-1][:MOST]],
        "head": entries[-1].hash if entries else "",
    }  # fmt: skip


def _entry(entry: ledger.Entry, words: DashboardWords) -> dict[str, Any]:
    return {"id": entry.id, "day": date_of(entry.at), "kind": entry.kind, "about": _about(entry.details, words)}


def _about(details: Any, words: DashboardWords) -> str:
    """The facts of an entry that fit on a line."""
    if command := details.get("command"):
        return f"{details.get('by', '')}: {' '.join(command)}"
    if "to" in details:
        moved = f"{details.get('from') or '–'} → {details['to']}"
        return f"{words.said(details['alias'])}: {moved}" if details.get("alias") else moved
    plain = {k: v for k, v in details.items() if isinstance(v, str | float) and v != "" and k != "salt"}
    return words("comma").join(words.fact(key, value) for key, value in list(plain.items())[:4])
