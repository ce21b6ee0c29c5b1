"""What a server does, as JSON lines on standard error, and in numbers for Prometheus. No id of a person is in either.

Every line has at, kind and step. A request is told by its route, never by its path, which may hold an id; of an
error that nobody foresaw only its kind and the place are told, because its words may quote a row.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regraft.release.journal import PROCESSORS
from regraft.serving.problems import problem
from regraft.serving.service import Service, Tell


def lines(stream: TextIO = sys.stderr) -> Tell:
    """Writes a line of JSON per call."""
    log = structlog.wrap_logger(structlog.WriteLogger(stream), processors=PROCESSORS, kind="serve")
    tell: Tell = log.info
    return tell


def adopt(name: str, tell: Tell) -> None:
    """What a library logs under this name becomes lines as well, from warnings on."""
    log = logging.getLogger(name)
    log.handlers, log.propagate = [_Adopted(tell)], False
    log.setLevel(logging.WARNING)


class _Adopted(logging.Handler):
    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        told = {"error": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}
        self.tell("warned", words=str(record.msg), **told)  # without arguments: they may be of a request


class Counted:
    """Counters of one service."""

    def __init__(self, service: Service) -> None:
        self.service, self.registry = service, CollectorRegistry()
        self.seconds = Histogram(
            "regraft_request_seconds", "Seconds per request", ["route"], registry=self.registry,
            buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
        )  # fmt: skip
        self.requests = Counter("regraft_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.events = Counter("regraft_events", "Events accepted", registry=self.registry)
        self.failures = Gauge("regraft_version_load_failures", "Versions refused", registry=self.registry)
        self.epoch = Gauge("regraft_champion_epoch", "Epoch of the champion served", registry=self.registry)
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        self.failures.set(self.service.failures)
        self.epoch.set(self.service.loaded.epoch)
        return generate_latest(self.registry)


class Watch:
    """Tells and counts every request, and answers for those on which the application failed."""

    def __init__(self, app: ASGIApp, tell: Tell, count: Counted) -> None:
        self.app, self.tell, self.count = app, tell, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            self.tell("failed", error=type(error).__name__, place=_place(error))
            if not status:
                await problem(500, "the server failed on this request; its log says where")(scope, receive, sending)
        self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        name = getattr(route, "name", "none")
        self.count.requests.labels(name, str(status)).inc()
        self.count.seconds.labels(name).observe(seconds)
        facts: dict[str, Any] = {"route": name, "status": status, "ms": round(seconds * 1000, 1)}
        if key := scope.get("state", {}).get("key"):
            facts["key"] = key
        self.tell("request", **facts)


def _place(error: BaseException) -> str:
    """file:line of where an error arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
