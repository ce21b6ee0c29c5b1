"""Errors of the API as RFC 9457 says them: application/problem+json with type, title, status, detail."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from regraft.errors import DataError, RegraftError
from regraft.release.blocked import NobodyError
from regraft.serving.messages import Problem, inline
from regraft.serving.service import GoneError

MEDIA = "application/problem+json"
SAID = {
    400: "the body is no text",
    401: "no key, or one that is not known",
    403: "the key has not the scope",
    404: "nobody of this id is known",
    408: "the body came too slowly",
    410: "the person is being erased",
    413: "the body is too large",
    422: "the request says something that cannot be",
    429: "the key has used up its requests of this minute",
    500: "the server failed",
    503: "the version in service cannot answer",
}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """One error; `type` is about:blank, so that the title is the status in words."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    own = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse(said, status, {**own, **(headers or {})}, media_type=MEDIA)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These errors for the description of a route; any route may fail and any body may be too slow or too large."""
    schema = inline(Problem)
    return {
        status: {"description": SAID[status], "content": {MEDIA: {"schema": schema}}}
        for status in sorted({*statuses, 408, 413, 500})
    }


def install(app: FastAPI) -> None:
    """Every error of the application becomes a problem."""

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"]} for e in error.errors()[:20]]
        return problem(422, "; ".join(f"{e['where']}: {e['what']}" for e in found[:3]), errors=found)

    @app.exception_handler(DataError)
    async def _data(_: Request, error: DataError) -> JSONResponse:
        known = {GoneError: HTTPStatus.GONE, NobodyError: HTTPStatus.NOT_FOUND}
        status = known.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)
        return problem(status, _words(error), errors=[{"where": error.where, "what": error.found}])

    @app.exception_handler(RegraftError)
    async def _ours(_: Request, error: RegraftError) -> JSONResponse:
        return problem(503, _words(error))


def _words(error: RegraftError) -> str:
    return str(error).replace("\n", ". ")
