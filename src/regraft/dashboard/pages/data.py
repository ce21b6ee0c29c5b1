"""Data and privacy: what is stored, how old it is, what came in, and who asked to be erased."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.standing import HIDE, Standing
from regraft.dashboard.view import View
from regraft.data.store import ITEMS
from regraft.release.runs import date_of
from regraft.report.by_day import Day, Line, by_day
from regraft.setup.site import DAY, Site
from regraft.state.database import transaction
from regraft.state.files import TO_CLOSE
from regraft.state.tables import batches, erasures, files, objections, vault

MOST = 30  # rows of a table
LIMIT = 30  # days within which an erasure must be done


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    with transaction(site.engine) as connection:
        stored = connection.execute(
            select(files.c.day, func.sum(files.c.rows).label("rows"), func.sum(files.c.bytes).label("bytes"))
            .join(batches, batches.c.id == files.c.batch)
            .where(batches.c.state.in_(TO_CLOSE))
            .group_by(files.c.day)
            .order_by(files.c.day)
        ).all()
        came = connection.execute(select(batches).order_by(batches.c.id.desc()).limit(MOST)).all()
        asked = connection.execute(select(erasures).order_by(erasures.c.id.desc()).limit(MOST)).all()
        people = connection.execute(select(func.count()).select_from(vault)).scalar_one()
        objected = connection.execute(select(func.count()).select_from(objections)).scalar_one()
    days = [row for row in stored if row.day != ITEMS]
    return {
        "rows": sum(row.rows for row in days), "bytes": sum(row.bytes for row in stored), "n_days": len(days),
        "oldest": days[0].day if days else "", "newest": days[-1].day if days else "",
        "people": _told(people), "objected": _told(objected),
        "batches": [{**row._mapping, "day": date_of(row.at)} for row in came],
        "erasures": [_erasure(row) for row in asked], "drawn": _drawn(days, words), "last_days": days[-MOST:][::-1],
    }  # fmt: skip


def _told(people: int) -> int | None:
    """A count of people; None where it would tell of few."""
    return None if 0 < people < HIDE else people


def _erasure(row: Any) -> dict[str, Any]:
    """What is open to the eye: never who it was."""
    return {"id": row.id, "asked": date_of(row.at), "until": date_of(row.at + LIMIT * DAY), "step": row.step}


def _drawn(days: list[Any], words: DashboardWords) -> Any:
    if len(days) < 2:
        return None
    line = Line("", tuple(Day(row.day, float(row.rows)) for row in days))
    return by_day((line,), (), "stored-rows", words("figure stored"))
