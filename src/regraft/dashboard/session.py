"""Who is at the page: a key of the site, remembered in a signed cookie; and proof that a form came from our own page.

The secret lives as long as the process: a restart signs everybody out. A key that is revoked is refused at once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from urllib.parse import urlsplit

from fastapi import Request, Response
from sqlalchemy import Engine

from regraft.state import keys
from regraft.state.database import transaction
from regraft.state.keys import ApiKey

COOKIE = "regraft"
HOURS = 8.0


class Sessions:
    """Signs people in and knows them again."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self._secret = engine, secrets.token_bytes(32)

    def open(self, response: Response, key: str, secure: bool) -> ApiKey | None:
        """Puts the cookie of this key on the response; None where it is nobody's key."""
        with transaction(self.engine) as connection:
            found = keys.found(connection, key)
        if found is not None:
            until = round(time.time() + HOURS * 3600)
            said = f"{base64.urlsafe_b64encode(found.name.encode()).decode()}.{until}.{secrets.token_urlsafe(12)}"
            value = f"{said}.{self._signed('cookie', said)}"
            response.set_cookie(
                COOKIE, value, max_age=round(HOURS * 3600), httponly=True, samesite="strict", secure=secure
            )
        return found

    def close(self, response: Response) -> None:
        """Signs out."""
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")

    def who(self, request: Request) -> ApiKey | None:
        """Whose cookie came with the request, as the key is now; None where nobody is signed in."""
        said, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
        parts = said.split(".")
        if len(parts) != 3 or not hmac.compare_digest(self._signed("cookie", said), signature):
            return None
        if float(parts[1]) < time.time():
            return None
        name = base64.urlsafe_b64decode(parts[0]).decode()
        with transaction(self.engine) as connection:
            return next((key for key in keys.listed(connection) if key.name == name), None)

    def token(self, request: Request) -> str:
        """What a form of ours carries: bound to the cookie, so that no other site can know it."""
        return self._signed("form", request.cookies.get(COOKIE, ""))

    def ours(self, request: Request, token: str) -> bool:
        """Whether a form was sent from a page of ours, by whoever is signed in."""
        origin = request.headers.get("origin")
        same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
        return same and hmac.compare_digest(self.token(request).encode(), token.encode())

    def _signed(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()
