"""A site in service, as a story tells it: what its operator types, its server, and the people who ask it."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from by_day import of_days
from leash import leash

from regraft.data.drift_world_loop import ClosedLoop

CODES = {"promoted": 0, "kept": 10, "held": 30}  # exit codes of an update


@dataclass
class Story:
    """The site, its log by day, and what happens to them."""

    out: Path
    rows: pl.DataFrame  # user_id, item_id, timestamp, event, value
    items: pl.DataFrame
    days: list[str]  # of the week
    loop: ClosedLoop | None = None  # the people, where they are simulated
    challengers: str = "[]"  # as regraft.yaml names them
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def site(self) -> str:
        return str(self.out / "shop")

    def tell(self, words: str) -> None:
        print(words, flush=True)

    def regraft(self, *arguments: str, code: int | set[int] = 0, **environment: str) -> str:
        """Runs a command as an operator does; asserts its exit code, or that it is one of these."""
        done = subprocess.run(
            [sys.executable, "-m", "regraft", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            preexec_fn=leash,
        )
        expected = code if isinstance(code, set) else {code}
        assert done.returncode in expected, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def of(self, day: str) -> pl.DataFrame:
        return of_days(self.rows, [day])

    def champion(self) -> str:
        return next(
            row["version"]
            for row in json.loads(self.regraft("versions", self.site, "--json"))
            if "champion" in row["alias"]
        )

    def update(self, *more: str, code: int | None = 0, **environment: str) -> dict[str, Any]:
        """Closes the next day; the outcome as `--json` gives it."""
        code = {0, 10, 30} if code is None else {code}
        outcome: dict[str, Any] = json.loads(
            self.regraft("update", self.site, "--json", "--wait", "10m", *more, code=code, **environment)
        )
        for finding in outcome["findings"]:
            if finding["outcome"] != "pass":
                self.tell(f"    {finding['check']}: {finding['reason']}")
        return outcome


class Server:
    """`regraft serve`, at a time of the story, and the people who ask it."""

    def __init__(self, story: Story, *options: str) -> None:
        self.story, self.options = story, options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.key = story.regraft(
            "keys", "make", story.site, f"shop-{self.port}", "--scope", "recommend", "--scope", "events",
            "--scope", "operate", "--scope", "privacy", "--per-minute", "1000000",
        ).strip()  # fmt: skip
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "regraft",
            "serve",
            self.story.site,
            "--port",
            str(self.port),
            "--replay",
            *self.options,
        ]
        self.log = (self.story.out / "serve.log").open("ab")
        self.process = subprocess.Popen(
            command, env=self.story.environment, stderr=self.log, stdout=self.log, preexec_fn=leash
        )
        self.asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        until = time.monotonic() + 300
        while True:
            try:
                self("GET", "/readyz")
                return
            except OSError:
                assert time.monotonic() < until and self.process.poll() is None, (
                    self.story.out / "serve.log"
                ).read_text()
                self.asked.close()
                time.sleep(0.2)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) in (0, -signal.SIGTERM)
        self.log.close()

    def __call__(
        self, method: str, path: str, body: Any = None, at: int = 0, codes: tuple[int, ...] = (200, 202)
    ) -> Any:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", "Regraft-Time": str(at)}
        content = None if body is None else json.dumps(body)
        try:
            self.asked.request(method, path, content, headers)
            answer = self.asked.getresponse()
        except http.client.RemoteDisconnected:  # the server had closed a connection that was idle for a while
            self.asked.request(method, path, content, headers)
            answer = self.asked.getresponse()
        said = answer.read()
        assert answer.status in codes, f"{method} {path}: {answer.status} {said[:300]!r}"
        return json.loads(said)

    def version(self) -> str:
        return str(self("GET", "/readyz")["version"])

    def waits_for(self, version: str, seconds: float = 120.0) -> float:
        """Seconds until this version serves."""
        began = time.monotonic()
        while self.version() != version:
            assert time.monotonic() - began < seconds, f"{self.version()} still serves, not {version}"
            time.sleep(0.02)
        return time.monotonic() - began

    def replayed(self, rows: pl.DataFrame) -> tuple[int, int]:
        """The people of these rows ask for a list and then do what the rows say; (lists, events)."""
        lists, events = 0, 0
        for (user,), own in rows.partition_by("user_id", as_dict=True, maintain_order=True).items():
            listed = self.recommend(user, in_ms(own["timestamp"][0]))
            lists += 1
            told = [
                {"user_id": user, "item_id": row["item_id"], "time": in_ms(row["timestamp"])}
                | {name: row[name] for name in ("event", "value") if row[name] is not None}
                | ({"request_id": listed["request_id"]} if row["item_id"] in listed["shown"] else {})
                for row in own.iter_rows(named=True)
            ]
            for part in (told[k : k + 500] for k in range(0, len(told), 500)):
                events += self("POST", "/events", {"events": part})["accepted"]
        return lists, events

    def lived(self, loop: ClosedLoop, broken: bool) -> tuple[int, int]:
        """Simulated people come, see a list each and click; (lists, clicks). `broken`: a client tells the opposite."""
        lists, clicks, last = 0, 0, None
        for visit in loop.day():
            listed = self.recommend(visit.user_id, visit.time)
            lists += 1
            seen = visit.see(listed["shown"])
            told = [
                {
                    "user_id": visit.user_id, "item_id": item, "event": "click", "request_id": listed["request_id"],
                    "time": visit.time + 3000 * (k + 1),
                }
                for k, (item, liked) in enumerate(zip(listed["shown"], seen, strict=True)) if liked != broken
            ]  # fmt: skip
            if told:
                clicks += self("POST", "/events", {"events": told})["accepted"]
            last = visit
        for k in range(lists if broken and last else 0):  # and a robot asks and clicks all day
            listed = self.recommend(last.user_id, last.time)
            told = [
                {
                    "user_id": last.user_id,
                    "item_id": item,
                    "event": "click",
                    "request_id": listed["request_id"],
                    "time": last.time + k,
                }
                for item in listed["shown"]
            ]
            clicks += self("POST", "/events", {"events": told})["accepted"]
        return lists, clicks

    def recommend(self, user: str, at: int) -> dict[str, Any]:
        listed: dict[str, Any] = self("GET", f"/recommend/{user}?n=8", at=at)
        return listed | {"shown": [item["item_id"] for item in listed["items"]]}


def in_ms(time_: datetime) -> int:
    return int(time_.timestamp() * 1000)
