"""The server as a user starts it: a process of its own, a key made by command, a real socket."""

from __future__ import annotations

from pathlib import Path

from served import serving
from site_world import SiteWorld


def test_a_server_answers_and_ends_on_request(world: SiteWorld, tmp_path: Path) -> None:
    with serving(world.folder / "shop", tmp_path / "serve.log") as server:
        answer = server.client()("GET", "/recommend/u001?n=3").json()
        assert (answer["version"], len(answer["items"])) == ("shop-v000001", 3)
    assert f"Serving shop-v000001 at http://127.0.0.1:{server.port}" in server.said()
    assert "u001" not in server.said()
