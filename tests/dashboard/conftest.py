"""A small site with a dashboard over it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient

from regraft.dashboard.app import make_app
from regraft.release.aggregates import refresh
from regraft.state import keys
from regraft.state.database import transaction
from site_world import SiteWorld

HOST = "http://127.0.0.1:8100"


@dataclass
class Board:
    """A client that follows no redirect, and the site behind it."""

    world: SiteWorld
    client: TestClient

    def text(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text[:600]
        return answer.text

    def key(self, *scopes: str, name: str = "owner") -> str:
        with transaction(self.world.site.engine) as connection:
            return keys.make(connection, name, scopes)

    def sign_in(self, key: str, to: str = "/") -> int:
        form = {"token": self.token("/sign-in"), "key": key, "to": to}
        return self.client.post("/sign-in", data=form).status_code

    def token(self, path: str) -> str:
        return self.client.get(path).text.split('name="token" value="')[1].split('"')[0]


@pytest.fixture
def board(world: SiteWorld) -> Board:
    refresh(world.site)
    return Board(world, TestClient(make_app(world.site), base_url=HOST, follow_redirects=False))
