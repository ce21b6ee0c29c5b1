"""Whatever a client sends, and however slowly: an answer that the API describes, and others are served meanwhile."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from served import Server, serving
from site_world import SiteWorld

SECONDS = 10  # in which a head, and a body, must have arrived


@pytest.fixture(scope="module")
def server(made: SiteWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        world = made.copied(tmp_path_factory.mktemp("served") / "w", patch)
        with serving(world.folder / "shop", world.folder / "serve.log") as server:
            yield server


class Slow:
    """A client that sends `first` and then a byte a second, until the server has had enough of it."""

    def __init__(self, server: Server, first: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS + 20)
        self.answer, self.seconds = b"", 0.0
        self._thread = threading.Thread(target=self._go, args=(first,), daemon=True)
        self._thread.start()

    def _go(self, first: bytes) -> None:
        began = time.monotonic()
        try:
            self.socket.sendall(first)
            self.socket.settimeout(1.0)
            while time.monotonic() - began < SECONDS + 20:
                try:
                    more = self.socket.recv(4096)
                    self.answer += more
                    if not more:
                        break
                except TimeoutError:
                    self.socket.sendall(b"x")
        except OSError:  # closed while we sent
            pass
        self.seconds = time.monotonic() - began
        self.socket.close()

    def ends(self) -> tuple[float, str]:
        """(seconds until it was cut off, status line of what it was told)."""
        self._thread.join(SECONDS + 25)
        assert not self._thread.is_alive()
        return self.seconds, self.answer.partition(b"\r\n")[0].decode()


def slow_ones(server: Server, each: int) -> dict[str, list[Slow]]:
    head = (
        f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\nContent-Type: application/json\r\n"
    )
    first = {
        "says nothing": b"", "ends no head": head.encode(), "ends no line": b"GET /heal",
        "sends a body slowly": head.encode() + b"Content-Length: 100000\r\n\r\n",
    }  # fmt: skip
    return {kind: [Slow(server, start) for _ in range(each)] for kind, start in first.items()}


def schemathesis(server: Server, *options: str) -> None:
    """Asks what the API's description allows and what it forbids; fails on an answer that it does not describe.

    One check is left out: that all data of the right form are accepted. Which items there are is not in the form.
    """
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")), "run", f"http://127.0.0.1:{server.port}/openapi.json",
            "-H", f"Authorization: Bearer {server.key}", "-c", "all", "--exclude-checks", "positive_data_acceptance",
            "--continue-on-failure", "--no-color", "--seed", "1", *options,
        ],
        env=os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(server.log.parent)},
        capture_output=True, text=True, cwd=server.log.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    paths = server.client()("GET", "/openapi.json").json()["paths"]
    assert f"Tested: {sum(map(len, paths.values()))}" in done.stdout


def held(server: Server, slow: dict[str, list[Slow]]) -> None:
    """Asserts that slow clients were cut off in time, and that nothing failed meanwhile."""
    for kind, clients in slow.items():
        for client in clients:
            seconds, said = client.ends()
            assert SECONDS - 1 < seconds < SECONDS + 5, kind
            assert said == "HTTP/1.1 408 Request Timeout", kind
    assert not server.told("failed") and not [line for line in server.told("request") if line["status"] >= 500]
    assert server.process.poll() is None


def test_whatever_is_asked_has_an_answer_that_is_described_while_slow_clients_hold_connections(server: Server) -> None:
    slow = slow_ones(server, 10)
    schemathesis(server, "--phases", "coverage")
    held(server, slow)


@pytest.mark.slow
def test_thousands_of_requests_of_all_kinds_break_nothing(server: Server) -> None:
    schemathesis(server, "-n", "400", "--phases", "examples,coverage,fuzzing,stateful")
    assert not [line for line in server.told("request") if line["status"] >= 500]


@pytest.mark.slow
def test_hundreds_of_slow_clients_cost_others_little(server: Server) -> None:
    ask = server.client()

    def p99() -> float:
        took = []
        for number in range(300):
            began = time.perf_counter()
            assert ask("GET", f"/recommend/u{number % 150:03d}?n=8").status == 200
            took.append(time.perf_counter() - began)
        return float(np.quantile(took, 0.99))

    alone = p99()
    slow = slow_ones(server, 100)
    among = p99()
    held(server, slow)
    print(f"p99 {alone * 1000:.1f} ms alone, {among * 1000:.1f} ms among 400 slow clients")
    assert among < 3 * alone + 0.05


DEEP, LONG = b"[" * 10_000, b'{"user_id":"u001","items":["i01"],"x":' + b"9" * 10_000 + b"}"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/events", b"x" * (10 << 20), 413, "larger than 1,048,576 bytes"),
        ("POST", "/events", b"{not json", 422, "JSON decode error"),
        ("POST", "/score", b"\x80 no text", 400, "parsing the body"),
        ("POST", "/score", DEEP, 400, "parsing the body"),
        ("POST", "/score", LONG, 400, "parsing the body"),
        ("POST", "/score", b'{"user_id":"\\u0000","items":["i01"]}', 422, "body.user_id"),
        ("POST", "/score", b'{"user_id":"\\ud800","items":["i01"]}', 422, "body.user_id"),
        ("POST", "/score", b'{"user_id":"u001","items":["\\u0000"]}', 422, "body.items.0"),
        ("POST", "/score", b'{"user_id":"u001","items":["no-such-item"]}', 422, "the first is 'no-such-item'"),
        ("GET", "/recommend/u001?n=1000000000", None, 422, "less than or equal to 500"),
        ("GET", "/recommend/u001?n=" + "9" * 5000, None, 422, "query.n"),
        ("GET", "/recommend/%00", None, 422, "path.user"),
        ("GET", "/recommend/", None, 422, "path.user"),
        ("GET", "/recommend/a%0D%0Ab", None, 404, "Not Found"),
        ("GET", "/nothing", None, 404, "Not Found"),
        ("DELETE", "/recommend/u001", None, 405, "Method Not Allowed"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(
    server: Server, method: str, path: str, body: bytes | None, status: int, says: str
) -> None:
    answer = server.client()(method, path, body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    "user", ["nobody", "a%2Fb", "%E5%86%8D%E7%94%9F", "%F0%9F%8D%8E", "a%09b", "%ED%A0%80", "x" * 256]
)
def test_a_stranger_of_any_name_gets_a_list(server: Server, user: str) -> None:
    assert len(server.client()("GET", f"/recommend/{user}?n=3").json()["items"]) == 3
