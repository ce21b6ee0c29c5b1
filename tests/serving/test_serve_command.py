"""The server as a user starts it: a process of its own, a key made by command, a real socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from regraft.errors import StateError
from regraft.serving.server import serve
from served import serving
from site_world import SiteWorld


def test_a_server_answers_ends_on_request_and_logs_json_lines_without_anybodys_id(
    world: SiteWorld, tmp_path: Path
) -> None:
    with serving(world.folder / "shop", tmp_path / "serve.log") as server:
        ask = server.client()
        answer = ask("GET", "/recommend/u001?n=3").json()
        assert (answer["version"], len(answer["items"])) == ("shop-v000001", 3)
        assert ask("GET", "/recommend/u001?n=0").status == 422
    first, *lines = server.said().splitlines()
    assert first == f"Serving shop-v000001 at http://127.0.0.1:{server.port}"
    steps = [json.loads(line) for line in lines]
    assert [steps[0]["step"], steps[0]["version"], steps[-1]["step"]] == ["serving", "shop-v000001", "stopped"]
    asked = [(line["status"], line["key"]) for line in steps if line.get("route") == "recommend"]
    assert asked == [(200, f"test-{server.port}"), (422, f"test-{server.port}")]
    assert "u001" not in server.said()


def test_an_address_that_is_taken_is_told_at_once(world: SiteWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StateError, match=f"127.0.0.1:{port}: cannot be listened on: Address already in use"):
            serve(world.site, "127.0.0.1", port, print)
