"""Errors of the API as RFC 9457 says them: application/problem+json with type, title, status, detail."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from regraft.errors import DataError, RegraftError
from regraft.release.blocked import NobodyError
from regraft.serving.service import GoneError

MEDIA = "application/problem+json"


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """One error; `type` is about:blank, so that the title is the status in words."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    return JSONResponse(said, status, headers, media_type=MEDIA)


def install(app: FastAPI) -> None:
    """Every error of the application becomes a problem."""

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"]} for e in error.errors()[:20]]
        return problem(422, "; ".join(f"{e['where']}: {e['what']}" for e in found[:3]), errors=found)

    @app.exception_handler(DataError)
    async def _data(_: Request, error: DataError) -> JSONResponse:
        known = {GoneError: HTTPStatus.GONE, NobodyError: HTTPStatus.NOT_FOUND}
        status = known.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY)
        return problem(status, str(error).replace("\n", " "))

    @app.exception_handler(RegraftError)
    async def _ours(_: Request, error: RegraftError) -> JSONResponse:
        return problem(503, str(error).replace("\n", " "))
