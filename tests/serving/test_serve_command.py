"""The server as a user starts it: a process of its own, a key made by command, a real socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
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


def test_an_answer_on_a_connection_that_stays_open_waits_for_no_delayed_acknowledgement(
    world: SiteWorld, tmp_path: Path
) -> None:
    took = []
    with serving(world.folder / "shop", tmp_path / "serve.log") as server:
        asked = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(40):
            began = time.perf_counter()
            asked.request("GET", "/healthz")
            asked.getresponse().read()
            took.append(time.perf_counter() - began)
        asked.close()
    assert min(took[20:]) < 0.03  # else at least 0.04 s each, once the kernel's quick acknowledgements are spent


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux alone ends children with their parent")
def test_a_server_that_a_test_started_ends_with_a_test_that_is_killed(world: SiteWorld, tmp_path: Path) -> None:
    code = """
import pathlib, sys
from served import serving
with serving(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(world.folder / "shop"), str(tmp_path / "serve.log")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert starter.stdout is not None
    address = ("127.0.0.1", int(starter.stdout.readline()))
    socket.create_connection(address).close()
    starter.kill()
    starter.communicate()
    assert refuses(address, within=20)


def refuses(address: tuple[str, int], within: float) -> bool:
    """Whether nobody listens there any longer after so many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            socket.create_connection(address).close()
        except ConnectionRefusedError:
            return True
        time.sleep(0.1)
    return False


def test_an_address_that_is_taken_is_told_at_once(world: SiteWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StateError, match=f"127.0.0.1:{port}: cannot be listened on: Address already in use"):
            serve(world.site, "127.0.0.1", port, print)
