"""What stands before the routes: a key with the right scope, a quota, a bound on every body and on slow ones.

Deny by default: a route that names no scope is not mounted.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable

from fastapi import HTTPException, Request
from sqlalchemy import Engine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regraft.serving.problems import problem
from regraft.state import keys
from regraft.state.database import transaction
from regraft.state.keys import ApiKey

MOST_BYTES = 1 << 20  # of a body
SECONDS = 10.0  # within which a body must have arrived
REMEMBER = 5.0  # seconds for which a key that was looked up is believed


class Keys:
    """Keys of a site, looked up in the database and believed for a few seconds."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._known: dict[str, tuple[float, ApiKey | None]] = {}
        self._used: defaultdict[str, deque[float]] = defaultdict(deque)

    def demand(self, scope: str) -> Callable[[Request], ApiKey]:
        """A dependency that lets through keys of this scope, as often as their quota says."""

        def check(request: Request) -> ApiKey:
            given = request.headers.get("authorization", "")
            word, _, key = given.partition(" ")
            found = self._found(key) if word.lower() == "bearer" and key else None
            if found is None:
                raise HTTPException(401, "needs a key: Authorization: Bearer KEY")
            if scope not in found.scopes:
                raise HTTPException(403, f"the key '{found.name}' has no scope '{scope}'")
            self._count(found)
            request.state.asked_by = found.name
            return found

        return check

    def _found(self, key: str) -> ApiKey | None:
        now = time.monotonic()
        at, known = self._known.get(key, (-REMEMBER, None))
        if now - at < REMEMBER:
            return known
        with transaction(self.engine) as connection:
            known = keys.found(connection, key)
        if len(self._known) > 10_000:  # somebody tries keys
            self._known.clear()
        self._known[key] = now, known
        return known

    def _count(self, key: ApiKey) -> None:
        now, used = time.monotonic(), self._used[key.name]
        while used and now - used[0] > 60:
            used.popleft()
        if len(used) >= key.per_minute:
            raise HTTPException(429, f"the key '{key.name}' has used its {key.per_minute:,} requests of this minute")
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
            body = await asyncio.wait_for(self._read(receive), self.seconds)
        except TimeoutError:
            await problem(408, f"the body did not arrive within {self.seconds:g} s")(scope, receive, send)
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
        """The body; None where it is too large."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            part = message.get("body", b"")
            size += len(part)
            if size > self.most:
                return None
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)
