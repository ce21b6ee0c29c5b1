"""What an update did, step by step, as JSON lines in SITE/reports/log/2025-01-06.jsonl. No id of a person is in it.

Every line has at, kind, step and seconds (since the step before), and what the step counted: rows, run, outcome.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import structlog

from regraft.disk_errors import told
from regraft.setup.site import Site

FOLDER = "log"  # in the folder reports of a site
PROCESSORS = (
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    structlog.processors.EventRenamer("step"),
    structlog.processors.JSONRenderer(ensure_ascii=False),
)


class _Journal:
    """The open log of one command."""

    def __init__(self, log: Any) -> None:
        self.log, self._last = log, perf_counter()

    def line(self, step: str, facts: dict[str, Any]) -> None:
        now = perf_counter()
        self.log.info(step, **facts, seconds=round(now - self._last, 3))
        self._last = now


_current: ContextVar[_Journal | None] = ContextVar("journal", default=None)


@contextmanager
def journal(site: Site, kind: str) -> Iterator[None]:
    """Inside, the end of every step (`boundary`) is written down; at the end a line `done`, or `failed` and why.

    Of an error only its kind is written: its words may quote a row.
    """
    path = site.reports / FOLDER / f"{datetime.now(UTC).date().isoformat()}.jsonl"
    with told(path):
        path.parent.mkdir(exist_ok=True)
        file = path.open("a", encoding="utf-8")
    with file:
        log = structlog.wrap_logger(structlog.WriteLogger(file), processors=PROCESSORS, kind=kind)
        opened = _Journal(log)
        token = _current.set(opened)
        try:
            yield
            opened.line("done", {})
        except BaseException as error:
            opened.line("failed", {"error": type(error).__name__})
            raise
        finally:
            _current.reset(token)


def note(**facts: Any) -> None:
    """Facts that every later line of the open log carries, such as the run."""
    if opened := _current.get():
        opened.log = opened.log.bind(**facts)


def boundary(step: str, **facts: Any) -> None:
    """The end of a step: a line of the open log, and where a test kills the process to see what the next run does."""
    if opened := _current.get():
        opened.line(step, facts)
    if os.environ.get("REGRAFT_CRASH_AFTER") == step:
        os.kill(os.getpid(), 9)
