"""The routes. OpenAPI 3.1 at /openapi.json; errors are problems (RFC 9457); nobody's id is logged or counted."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from regraft import __version__
from regraft.serving import problems
from regraft.serving.guards import BoundedBody, Keys
from regraft.serving.service import MOST, Service
from regraft.state import versions
from regraft.state.database import transaction

Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
LATEST = 253_402_300_799_000  # ms: the end of the year 9999


class ScoreRequest(BaseModel):
    """Items to be scored for one person."""

    model_config = ConfigDict(extra="forbid")
    user_id: Id
    items: list[Id] = Field(min_length=1, max_length=1000)


class EventRow(BaseModel):
    """Something that a person did. Without a time it happened now; with an event_id it counts once."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    user_id: Id
    item_id: Id
    event: str = Field("interaction", min_length=1, max_length=64)
    value: float | None = None
    time: int | None = Field(None, ge=0, le=LATEST, description="ms since 1970 UTC")
    event_id: str | None = Field(None, min_length=1, max_length=128)
    request_id: str | None = Field(None, max_length=64, description="of the list that it answers")


class EventRows(BaseModel):
    """Events, taken all or none."""

    model_config = ConfigDict(extra="forbid")
    events: list[EventRow] = Field(min_length=1, max_length=5000)


def _asked_at(
    request: Request, regraft_time: Annotated[int | None, Header(ge=0, le=LATEST, include_in_schema=False)] = None
) -> int | None:
    """When a request is made, ms: where a past is replayed, it says so itself."""
    return regraft_time if request.app.state.replay else None


At = Annotated[int | None, Depends(_asked_at)]


def make_app(service: Service, replay: bool = False) -> FastAPI:
    """The application over an opened service. With `replay` a request says in a header what time it is."""
    app = FastAPI(title="regraft", version=__version__, description=__doc__, docs_url=None, redoc_url=None)
    app.add_middleware(BoundedBody)
    problems.install(app)
    keys, count = Keys(service.site.engine), Counted(service)
    app.state.replay = replay

    @app.get("/recommend/{user}", dependencies=[Depends(keys.demand("recommend"))])
    def recommend(
        user: Annotated[str, Path(min_length=1, max_length=256)], at: At, n: Annotated[int, Query(ge=1, le=MOST)] = 10
    ) -> dict[str, Any]:
        """The best items for a person; a stranger gets what is popular and new."""
        with count.timed("recommend"):
            listed = service.recommend(user, n, at)
        return {
            "request_id": listed.request_id, "arm": listed.arm, "version": listed.version,
            "items": [{"item_id": i.item, "score": i.score, "why": i.why} for i in listed.items],
        }  # fmt: skip

    @app.post("/score", dependencies=[Depends(keys.demand("recommend"))])
    def score(asked: ScoreRequest, at: At) -> dict[str, Any]:
        """Log-odds of known items for a person."""
        with count.timed("score"):
            version, scores = service.score(asked.user_id, asked.items, at)
        return {"version": version, "scores": dict(zip(asked.items, scores.tolist(), strict=True))}

    @app.post("/events", status_code=202, dependencies=[Depends(keys.demand("events"))])
    def events(given: EventRows) -> dict[str, Any]:
        """Takes events in: they are on the disk when this answers, and the next score knows them."""
        with count.timed("events"):
            taken = service.take(row.model_dump() for row in given.events)
        count.events.inc(taken)
        return {"accepted": taken}

    @app.get("/versions", dependencies=[Depends(keys.demand("operate"))])
    def list_versions() -> dict[str, Any]:
        """All versions and where the aliases point."""
        with transaction(service.site.engine) as connection:
            known = versions.listed(connection)
            aliases = {n: a.version for n in versions.ALIASES if (a := versions.alias(connection, n))}
        return {
            "serving": service.loaded.name, "arms": {arm: found.name for arm, found in service.others.items()},
            "aliases": aliases,
            "versions": [{"name": v.name, "contender": v.contender, "state": v.state} for v in known],
        }  # fmt: skip

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """A version is loaded."""
        return JSONResponse({"status": "ready", "version": service.loaded.name})

    @app.get("/metrics", dependencies=[Depends(keys.demand("operate"))])
    def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(count.text(), media_type=CONTENT_TYPE_LATEST)

    return app


class Counted:
    """Counters of one service; none of them carries a person's or an item's id."""

    def __init__(self, service: Service) -> None:
        self.service, self.registry = service, CollectorRegistry()
        self.seconds = Histogram(
            "regraft_request_seconds", "Seconds per request", ["route"], registry=self.registry,
            buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
        )  # fmt: skip
        self.events = Counter("regraft_events", "Events accepted", registry=self.registry)
        self.failures = Gauge("regraft_version_load_failures", "Versions refused", registry=self.registry)
        self.epoch = Gauge("regraft_champion_epoch", "Epoch of the champion served", registry=self.registry)

    def timed(self, route: str) -> _Timer:
        return _Timer(self.seconds.labels(route))

    def text(self) -> bytes:
        self.failures.set(self.service.failures)
        self.epoch.set(self.service.loaded.epoch)
        return generate_latest(self.registry)


class _Timer:
    def __init__(self, seconds: Any) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds.observe(time.perf_counter() - self.began)
