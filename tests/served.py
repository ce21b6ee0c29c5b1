"""A site behind a real server: a process of its own, a key made by command, real sockets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leash import leash

REGRAFT = [sys.executable, "-m", "regraft"]
SCOPES = ("recommend", "events", "operate", "privacy")


@dataclass
class Answer:
    """Status, headers and body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection that is kept open, as an application's; not to be shared by threads."""

    def __init__(self, port: int, key: str) -> None:
        self.key, self.connection = key, http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        head = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        head |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        self.connection.request(method, path, content, head)
        answer = self.connection.getresponse()
        return Answer(answer.status, dict(answer.headers), answer.read())

    def close(self) -> None:
        self.connection.close()


@dataclass
class Server:
    """A running server. What it wrote on standard error is in `log`."""

    site: Path
    port: int
    key: str
    process: subprocess.Popen[bytes]
    log: Path
    clients: list[Client] = field(default_factory=list)

    def client(self) -> Client:
        self.clients.append(Client(self.port, self.key))
        return self.clients[-1]

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def told(self, step: str, **facts: Any) -> list[dict[str, Any]]:
        """Lines of the log of this step that say these facts."""
        lines = [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]
        return [line for line in lines if line["step"] == step and facts.items() <= line.items()]


@contextmanager
def serving(site: Path, log: Path, *options: str) -> Iterator[Server]:
    """`regraft serve SITE` on a free port with a key of every scope; it has ended when the block ends."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    made = subprocess.run(
        [*REGRAFT, "keys", "make", str(site), f"test-{port}", *scopes, "--per-minute", "1000000"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*REGRAFT, "serve", str(site), "--port", str(port), *options],
            env=environment, stdout=file, stderr=file, preexec_fn=leash,
        )  # fmt: skip
    server = Server(site, port, made.stdout.strip(), process, log)
    try:
        _wait(server)
        yield server
        for client in server.clients:
            client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, server.said()
    finally:
        if process.poll() is None:
            process.kill()


def _wait(server: Server, seconds: float = 200.0) -> None:
    """Until the server answers."""
    until, ask = time.monotonic() + seconds, Client(server.port, server.key)
    while True:
        try:
            assert ask("GET", "/readyz").status == 200
            break
        except OSError:
            assert time.monotonic() < until and server.process.poll() is None, server.said()
            ask.close()
            time.sleep(0.1)
    ask.close()
