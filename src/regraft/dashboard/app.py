"""The routes of the dashboard. Pages are written here whole; one script of ours adds hover values, nothing more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from regraft.dashboard import asked
from regraft.dashboard.actions import action
from regraft.dashboard.pages import PAGES, Page
from regraft.dashboard.render import Renderer, style
from regraft.dashboard.session import Sessions
from regraft.dashboard.table_csv import MEDIA
from regraft.dashboard.view import View
from regraft.errors import RegraftError
from regraft.release import worker
from regraft.serving.guards import BoundedBody
from regraft.setup.site import Site
from regraft.state.keys import ApiKey

HERE = Path(__file__).parent
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"  # a page of its own file
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAY_READ = ("read", "operate", "privacy")


def make_app(site: Site, open_to_all: bool = True, hosts: tuple[str, ...] = LOOPBACK, secure: bool = False) -> FastAPI:
    """The application over an opened site.

    `open_to_all`: pages are shown to whoever can reach them; otherwise to holders of a key that may read. Actions
    always need a key. `hosts`: names that the page goes by, all others are refused.
    """
    app = FastAPI(title="regraft dashboard", docs_url=None, redoc_url=None, openapi_url=None)
    door = _Door(site, Sessions(site.engine), Renderer(site), open_to_all, secure)
    app.add_middleware(BoundedBody)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.middleware("http")(_with_headers)
    app.exception_handler(HTTPException)(door.refused)
    app.exception_handler(RegraftError)(door.failed)
    app.exception_handler(Exception)(door.broken)
    for path, media, text in (
        ("/static/style.css", "text/css", style()),
        ("/static/dashboard.js", "text/javascript", (HERE / "static" / "dashboard.js").read_text(encoding="utf-8")),
    ):
        app.add_api_route(path, _fixed(text, media), methods=["GET"])
    for page in PAGES:
        app.add_api_route(page.path, door.page(page), methods=["GET"], response_class=HTMLResponse)
    app.get("/reports/{name:path}")(door.report)
    app.get("/sign-in", response_class=HTMLResponse)(door.sign_in_page)
    app.post("/sign-in")(door.sign_in)
    app.post("/sign-out")(door.sign_out)
    app.post("/prompts/save")(door.save)
    app.get("/act/{name}", response_class=HTMLResponse)(door.confirm)
    app.post("/act/{name}")(door.act)
    return app


class _Door:
    """What the routes share: the site, who is signed in, and how a page is written."""

    def __init__(self, site: Site, sessions: Sessions, renderer: Renderer, open_to_all: bool, secure: bool) -> None:
        self.site, self.sessions, self.renderer = site, sessions, renderer
        self.open_to_all, self.secure = open_to_all, secure

    def page(self, page: Page) -> Callable[[Request], Response]:
        """The route of a page."""

        def show(request: Request) -> Response:
            who = self._reader(request)
            if who is None and not self.open_to_all:
                return self._to_sign_in(request)
            given: dict[str, Any] = dict(request.path_params)
            if page.scope:
                given["known"] = who is not None and page.scope in who.scopes
            if key := request.query_params.get("csv"):
                return self._file(page.name, request, who, given, key)
            return HTMLResponse(self.renderer.page(page.name, given, self._frame(request, who)))

        return show

    def _file(self, name: str, request: Request, who: ApiKey | None, given: dict[str, Any], key: str) -> Response:
        """A table of a page, to be kept as a file."""
        found = self.renderer.file(name, given, self._frame(request, who), key)
        if found is None:
            raise HTTPException(404, "no such table")
        named, text = found
        return Response(text, media_type=MEDIA, headers={"Content-Disposition": f'attachment; filename="{named}"'})

    def report(self, request: Request, name: str) -> Response:
        """A report of the site's folder, as the file is; it may style itself and do nothing else."""
        if self._reader(request) is None and not self.open_to_all:
            return self._to_sign_in(request)
        path = asked.report(self.site, name)
        return HTMLResponse(path.read_text(encoding="utf-8"), headers={"Content-Security-Policy": REPORT})

    def sign_in_page(self, request: Request) -> Response:
        return HTMLResponse(self.renderer.other("sign_in", self._frame(request), wrong=False, to=_to(request)))

    async def sign_in(self, request: Request) -> Response:
        form = await _form(request)
        if not self.sessions.ours(request, form.get("token", "")):
            raise HTTPException(403, "stale form")
        back = RedirectResponse(_local(form.get("to", "/")), 303)
        if self.sessions.open(back, form.get("key", "").strip(), self.secure):
            return back
        text = self.renderer.other("sign_in", self._frame(request), wrong=True, to=_local(form.get("to", "/")))
        return HTMLResponse(text, 403)

    async def sign_out(self, request: Request) -> Response:
        form = await _form(request)
        if not self.sessions.ours(request, form.get("token", "")):
            raise HTTPException(403, "stale form")
        back = RedirectResponse("/", 303)
        self.sessions.close(back)
        return back

    def confirm(self, request: Request, name: str) -> Response:
        """What an action would do and what is at risk, before anything is done."""
        who = self.sessions.who(request)
        if who is None:
            return self._to_sign_in(request)
        wanted = action(name)
        _demand(who, wanted.scope)
        values = asked.values_of(wanted, request.query_params, who)
        shown = asked.confirmation(self.site, wanted, values)
        return HTMLResponse(self.renderer.other("confirm", self._frame(request, who), values=values, **shown))

    async def act(self, request: Request, name: str) -> Response:
        """Starts the job of an action that was confirmed."""
        form = await _form(request)
        who = self.sessions.who(request)
        if who is None:
            return self._to_sign_in(request)
        wanted = action(name)
        _demand(who, wanted.scope)
        if not self.sessions.ours(request, form.get("token", "")):
            raise HTTPException(403, "stale form")
        job = asked.ask(self.site, wanted, asked.values_of(wanted, form, who), who)
        Thread(target=worker.start(self.site.folder, job).wait, daemon=True).start()  # else it stays a zombie
        return RedirectResponse(View.of(dict(request.query_params)).address(f"/jobs/{job.id}"), 303)

    async def save(self, request: Request) -> Response:
        """A text that was written on the page becomes a draft."""
        form = await _form(request)
        who = self.sessions.who(request)
        if who is None:
            return self._to_sign_in(request)
        _demand(who, "operate")
        if not self.sessions.ours(request, form.get("token", "")):
            raise HTTPException(403, "stale form")
        saved = await run_in_threadpool(asked.save, self.site, form, who)
        return RedirectResponse(View.of(dict(request.query_params)).address(f"/prompts/{saved.id}"), 303)

    # -- errors ------------------------------------------------------------------------------------

    async def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        frame = self._frame(request)
        return HTMLResponse(self.renderer.other("refused", frame, status=error.status_code), error.status_code)

    async def failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RegraftError)
        return HTMLResponse(self.renderer.other("failed", self._frame(request), error=error), 409)

    async def broken(self, request: Request, error: Exception) -> Response:
        return HTMLResponse(self.renderer.other("broken", self._frame(request), kind=type(error).__name__), 500)

    # -- who asks ----------------------------------------------------------------------------------

    def _reader(self, request: Request) -> ApiKey | None:
        who = self.sessions.who(request)
        return who if who is not None and set(MAY_READ) & set(who.scopes) else None

    def _to_sign_in(self, request: Request) -> Response:
        asked_for = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        view = View.of(dict(request.query_params), request.headers.get("accept-language", ""))
        page = self.renderer.sign_in_address(view, asked_for if request.method == "GET" else "/")
        return RedirectResponse(page, 303)

    def _frame(self, request: Request, who: ApiKey | None = None) -> dict[str, Any]:
        """What every page knows of its request; `given` is what its address says beside the view."""
        view = View.of(dict(request.query_params), request.headers.get("accept-language", ""))
        return {
            "view": view,
            "path": request.url.path,
            "who": who or self.sessions.who(request),
            "token": self.sessions.token(request),
            "given": {key: value for key, value in request.query_params.items() if key not in vars(view)},
        }


def _demand(who: ApiKey, scope: str) -> None:
    if scope not in who.scopes:
        raise HTTPException(403, scope)


def _to(request: Request) -> str:
    return _local(request.query_params.get("to", "/"))


def _local(address: str) -> str:
    """An address of ours: never another site's."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; of one that is given twice the last."""
    body = (await request.body()).decode("utf-8", errors="replace")
    return {key: values[-1] for key, values in parse_qs(body, keep_blank_values=True, max_num_fields=50).items()}


def _fixed(text: str, media: str) -> Callable[[], Response]:
    def give() -> Response:
        return PlainTextResponse(text, media_type=media)

    return give


async def _with_headers(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await go_on(request)
    response.headers.setdefault("Content-Security-Policy", STRICT)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
