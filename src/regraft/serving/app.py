"""The routes. OpenAPI 3.1 at /openapi.json; errors are problems (RFC 9457); nobody's id is logged or counted."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from regraft import __version__
from regraft.release.blocked import ask_to_forget
from regraft.serving import problems
from regraft.serving.guards import BoundedBody, Keys
from regraft.serving.log import Counted, Watch
from regraft.serving.messages import (
    LATEST,
    Accepted,
    Erasing,
    EventRows,
    Health,
    Item,
    Listing,
    Ready,
    ScoreRequest,
    Scores,
    VersionRow,
    Versions,
)
from regraft.serving.problems import described
from regraft.serving.service import MOST, Service, Tell, silent
from regraft.state import versions
from regraft.state.database import transaction


async def _asked_at(
    request: Request, regraft_time: Annotated[int | None, Header(ge=0, le=LATEST, include_in_schema=False)] = None
) -> int | None:
    """When a request is made, ms: where a past is replayed, it says so itself."""
    return regraft_time if request.app.state.replay else None


At = Annotated[int | None, Depends(_asked_at)]
User = Annotated[str, Path(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
Length = Annotated[int, Query(ge=1, le=MOST)]


def make_app(service: Service, replay: bool = False, tell: Tell = silent) -> FastAPI:
    """The application over an opened service. With `replay` a request says in a header what time it is."""
    app = FastAPI(title="regraft", version=__version__, description=__doc__, docs_url=None, redoc_url=None)
    keys, count = Keys(service.site.engine), Counted(service)
    app.add_middleware(BoundedBody)
    app.add_middleware(Watch, tell=tell, count=count)
    problems.install(app)
    app.state.replay = replay
    _for_people(app, service, keys, count)
    _for_operators(app, service, keys, count)
    return app


def _for_people(app: FastAPI, service: Service, keys: Keys, count: Counted) -> None:
    """What a shop asks and tells of its people."""
    recommends = Depends(keys.demand("recommend"))

    # The rest of a path is the id, so that an id may hold a slash.
    @app.get("/recommend/{user:path}", dependencies=[recommends], responses=described(401, 403, 410, 422, 429, 503))
    def recommend(user: User, at: At, n: Length = 10) -> Listing:
        """The best items for a person; a stranger gets what is popular and new."""
        listed = service.recommend(user, n, at)
        items = [Item(item_id=i.item, score=i.score, why=i.why) for i in listed.items]
        return Listing(request_id=listed.request_id, arm=listed.arm, version=listed.version, items=items)

    @app.post("/score", dependencies=[recommends], responses=described(400, 401, 403, 410, 422, 429, 503))
    def score(asked: ScoreRequest, at: At) -> Scores:
        """Log-odds of known items for a person."""
        version, scores = service.score(asked.user_id, asked.items, at)
        return Scores(version=version, scores=dict(zip(asked.items, scores.tolist(), strict=True)))

    @app.post(
        "/events", status_code=202, dependencies=[Depends(keys.demand("events"))],
        responses=described(400, 401, 403, 410, 422, 429, 503),
    )  # fmt: skip
    def events(given: EventRows) -> Accepted:
        """Takes events in: they are on the disk when this answers, and the next score knows them.

        Under a label rule about values, an event without a value is kept and is no example.
        """
        taken = service.take(row.model_dump() for row in given.events)
        count.events.inc(taken)
        return Accepted(accepted=taken)

    @app.delete(
        "/users/{user:path}", status_code=202, dependencies=[Depends(keys.demand("privacy"))],
        responses=described(401, 403, 404, 422, 429, 503),
    )  # fmt: skip
    def erase(user: User, request: Request) -> Erasing:
        """Refuses a person from now on and asks for their erasure; it begins as soon as nobody works on the site."""
        erasure, job = ask_to_forget(service.site, user, request.state.key)
        service.look()
        return Erasing(erasure=erasure.id, job=job.id, state="blocked", salt=erasure.plan.get("salt"))


def _for_operators(app: FastAPI, service: Service, keys: Keys, count: Counted) -> None:
    """What serves, whether it does, and in what numbers."""
    operates = Depends(keys.demand("operate"))

    @app.get("/versions", dependencies=[operates], responses=described(401, 403, 429))
    def list_versions() -> Versions:
        """All versions and where the aliases point."""
        with transaction(service.site.engine) as connection:
            known = versions.listed(connection)
            aliases = {n: a.version for n in versions.ALIASES if (a := versions.alias(connection, n))}
        rows = [VersionRow(name=v.name, contender=v.contender, state=v.state) for v in known]
        arms = {arm: found.name for arm, found in service.others.items()}
        return Versions(serving=service.loaded.name, arms=arms, aliases=aliases, versions=rows)

    @app.get("/healthz", responses=described())
    def healthz() -> Health:
        """The process answers."""
        return Health(status="ok")

    @app.get("/readyz", responses=described())
    def readyz() -> Ready:
        """A version is loaded."""
        return Ready(status="ready", version=service.loaded.name)

    @app.get(
        "/metrics", dependencies=[operates], responses=described(401, 403, 429), response_class=PlainTextResponse,
    )  # fmt: skip
    def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(count.text(), media_type=CONTENT_TYPE_LATEST)
