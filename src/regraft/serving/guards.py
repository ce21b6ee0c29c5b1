"""What stands before the routes: a key with the right scope, a quota, a bound on every body and on slow ones.

Deny by default: a route that names no scope is not mounted.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regraft.serving.problems import problem
from regraft.state import keys
from regraft.state.database import transaction
from regraft.state.keys import ApiKey

MOST_BYTES = 1 << 20  # of a body
SECONDS = 10.0  # within which a body must have arrived
REMEMBER = 5.0  # seconds for which a key that was looked up is believed
Given = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(HTTPBearer(auto_error=False, description="A key made by regraft keys make")),
]


class Keys:
    """Keys of a site, looked up in the database and believed for a few seconds."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._known: dict[str, tuple[float, ApiKey | None]] = {}
        self._counting = threading.Lock()
        self._used: defaultdict[str, deque[float]] = defaultdict(deque)

    def demand(self, scope: str) -> Callable[..., Awaitable[ApiKey]]:
        """A dependency that lets through keys of this scope, as often as their quota says."""

        async def check(request: Request, given: Given) -> ApiKey:
            found = await self._found(given.credentials) if given else None
            if found is None:
                raise HTTPException(401, "needs a key: Authorization: Bearer KEY")
            if scope not in found.scopes:
                raise HTTPException(403, f"the key '{found.name}' has no scope '{scope}'")
            self._count(found)
            request.state.key = found.name
            return found

        return check

    async def _found(self, key: str) -> ApiKey | None:
        now = time.monotonic()
        at, known = self._known.get(key, (-REMEMBER, None))
        if now - at < REMEMBER:
            return known
        known = await run_in_threadpool(self._looked_up, key)  # a database may make us wait, and others with us
        if len(self._known) > 10_000:  # somebody tries keys
            self._known.clear()
        self._known[key] = now, known
        return known

    def _looked_up(self, key: str) -> ApiKey | None:
        with transaction(self.engine) as connection:
            return keys.found(connection, key)

    def _count(self, key: ApiKey) -> None:
        with self._counting:
            now, used = time.monotonic(), self._used[key.name]
            while used and now - used[0] > 60:
                used.popleft()
            if len(used) >= key.per_minute:
                raise HTTPException(
                    429, f"the key '{key.name}' has used its {key.per_minute:,} requests of this minute",
                    {"Retry-After": str(math.ceil(60 - (now - used[0])))},
                )  # fmt: skip
            used.append(now)


class BoundedBody:
    """Reads the whole body before the application sees the request: 413 where it is too large, 408 where too slow."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES, seconds: float = SECONDS) -> None:
        self.app, self.most, self.seconds = app, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.seconds):  # no task of its own, as wait_for begins one
                body = await self._read(receive)
        except TimeoutError:
            said = f"the body did not arrive within {self.seconds:g} s"
            await problem(408, said, {"Connection": "close"})(scope, receive, send)
            return
        except ConnectionError:
            return
        if body is None:
            await problem(413, f"the body is larger than {self.most:,} bytes")(scope, receive, send)
            return
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body; None where it is too large. ConnectionError where the client left."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise ConnectionError
            part = message.get("body", b"")
            size += len(part)
            if size > self.most:
                return None
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)
