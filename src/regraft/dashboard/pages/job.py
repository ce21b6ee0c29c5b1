"""A job: the command that somebody asked for, and how far it got."""

from __future__ import annotations

import shlex
from typing import Any

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.errors import RegraftError, StateError
from regraft.release import worker
from regraft.setup.site import Site
from regraft.state import jobs
from regraft.state.database import transaction


def content(site: Site, view: View, words: DashboardWords, now: Standing, number: str) -> dict[str, Any]:
    if not number.isdecimal():
        raise StateError(
            "job '{number}'", "does not exist", "a number that the page of updates shows", number=number[:40]
        )
    with transaction(site.engine) as connection:
        job = jobs.found(connection, int(number))
    gone = worker.gone(job)
    told = job.progress.get("error") if words.lang != "en" else None  # in English its output says so
    return {
        "job": job, "gone": gone, "error": RegraftError.of(told) if told else None,
        "line": shlex.join(["regraft", *job.arguments]),
        "refresh": 0 if job.ended or gone else 2, "title": f"{words('title job')} {job.id}",
    }  # fmt: skip
