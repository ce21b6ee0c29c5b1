"""The server as a user starts it: a process of its own, a key made by command, a real socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from site_world import SiteWorld


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_answers_and_ends_on_request(world: SiteWorld) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    regraft, shop, port = [sys.executable, "-m", "regraft"], str(world.folder / "shop"), free_port()
    made = subprocess.run(
        [*regraft, "keys", "make", shop, "me"], env=environment, capture_output=True, text=True, check=True
    )
    server = subprocess.Popen(
        [*regraft, "serve", shop, "--port", str(port)], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"{url}/readyz", timeout=5).read()
                break
            except OSError:
                assert time.monotonic() < deadline and server.poll() is None, server.stderr and server.stderr.read()
                time.sleep(0.2)
        asked = urllib.request.Request(
            f"{url}/recommend/u001?n=3", headers={"Authorization": f"Bearer {made.stdout.strip()}"}
        )
        answer = json.loads(urllib.request.urlopen(asked, timeout=10).read())
        assert (answer["version"], len(answer["items"])) == ("shop-v000001", 3)
    finally:
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=20)
    assert f"Serving shop-v000001 at http://127.0.0.1:{port}" in said
    assert "u001" not in said
