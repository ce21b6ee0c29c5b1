"""Jobs: long actions that somebody asked for, and how far a child process got with each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from regraft.errors import StateError
from regraft.state import ledger
from regraft.state.tables import jobs

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True)
class Job:
    """`arguments` is the command line that the job runs; `progress` its last lines, exit code, process and error."""

    id: int
    kind: str
    arguments: tuple[str, ...]
    state: str
    progress: dict[str, Any]
    asked_by: str
    at: int

    @property
    def ended(self) -> bool:
        return self.state in (DONE, FAILED)


def ask(connection: Connection, kind: str, arguments: tuple[str, ...], asked_by: str, at: int) -> Job:
    """Writes a job down, in the ledger too: who asked for which command."""
    values = {
        "kind": kind, "arguments": json.dumps(arguments, ensure_ascii=False), "state": WAITING, "progress": "{}",
        "asked_by": asked_by, "at": at,
    }  # fmt: skip
    number = int(connection.execute(insert(jobs).values(**values).returning(jobs.c.id)).scalar_one())
    ledger.append(connection, "asked", {"job": number, "by": asked_by, "command": ["regraft", *arguments]}, at)
    return Job(number, kind, arguments, WAITING, {}, asked_by, at)


def found(connection: Connection, number: int) -> Job:
    """The job of this number; StateError where there is none."""
    row = connection.execute(select(jobs).where(jobs.c.id == number)).first()
    if row is None:
        raise StateError("job {number}", "does not exist", "a number that the page of updates shows", number=number)
    return _job(row)


def listed(connection: Connection, last: int = 10) -> list[Job]:
    """The newest jobs, newest first."""
    return [_job(row) for row in connection.execute(select(jobs).order_by(jobs.c.id.desc()).limit(last))]


def claim(connection: Connection, number: int, progress: dict[str, Any]) -> bool:
    """Takes a waiting job for the process that asks; False where another was quicker."""
    values = {"state": RUNNING, "progress": json.dumps(progress, ensure_ascii=False)}
    waiting = update(jobs).where(jobs.c.id == number, jobs.c.state == WAITING)
    return connection.execute(waiting.values(**values)).rowcount == 1


def put(connection: Connection, number: int, state: str, progress: dict[str, Any]) -> None:
    """How far a job got."""
    text = json.dumps(progress, ensure_ascii=False)
    connection.execute(update(jobs).where(jobs.c.id == number).values(state=state, progress=text))


def _job(row: Any) -> Job:
    arguments, progress = tuple(json.loads(row.arguments)), json.loads(row.progress or "{}")
    return Job(row.id, row.kind, arguments, row.state, progress, row.asked_by, row.at)
