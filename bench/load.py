"""One client of a server under test: how fast it is answered, how fast its events are taken in, memory meanwhile."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_reading import resident
from common import taken
from story import Server, Story

from regraft.prompts.live import PER_PERSON

BATCH, RATE = 500, 20.0  # events of a post, requests per second


def asked(server: Server, users: list[str], seconds: float, each: Callable[[int], object] = int) -> np.ndarray:
    """Seconds per request at RATE per second, from when each was due: a server that falls behind shows it."""
    found, began = [], time.perf_counter()
    for number in range(round(seconds * RATE)):
        due = began + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        server("GET", f"/recommend/{users[number % len(users)]}?n=10")
        found.append(time.perf_counter() - due)
        each(number)
    return np.array(found)


def latency(server: Server, users: list[str], seconds: float) -> tuple[float, float]:
    """(p50, p99) in ms; everybody was asked for once before."""
    for user in users:
        server("GET", f"/recommend/{user}?n=10")
    took = asked(server, users, seconds) * 1000
    return float(np.quantile(took, 0.5)), float(np.quantile(took, 0.99))


def accepted(server: Server, made: Story, at: int, posts: int, times: int) -> float:
    """Events per second, median of `times`, each on the disk before its post was answered; they begin at `at` (ms)."""
    events = doings(made, at, posts * BATCH * times)
    bodies = [{"events": events[first : first + BATCH]} for first in range(0, len(events), BATCH)]
    rates = []
    for first in range(0, len(bodies), posts):
        part = bodies[first : first + posts]
        took = taken(lambda part=part: [server("POST", "/events", body) for body in part]).wall
        rates.append(posts * BATCH / took)
    return statistics.median(rates)


def doings(made: Story, at: int, n: int) -> list[dict[str, Any]]:
    """Everybody does something in turn, each time with another item: what is above a cap costs next to nothing."""
    users, items = made.rows["user_id"].unique().sort().to_list(), made.items["item_id"].to_list()
    assert n <= len(users) * min(PER_PERSON, len(items)), f"{n} events of {len(users)} people are above the cap"
    turns = [divmod(number, len(users)) for number in range(n)]
    return [
        {"user_id": users[user], "item_id": items[(user + turn) % len(items)], "event": "skip", "time": at + number}
        for number, (turn, user) in enumerate(turns)
    ]


def memory(server: Server, users: list[str], items: list[str], minutes: float) -> tuple[float, float]:
    """MiB that the server held after the first tenth of the time and at its end, asked and told all the while."""
    held: list[float] = []

    def tell(number: int) -> None:
        if number % 5 == 0:
            row = {"user_id": users[number % len(users)], "item_id": items[number % len(items)], "event": "click"}
            server("POST", "/events", {"events": [row]})
        if number % round(RATE * 2) == 0:
            held.append(resident("VmRSS", server.process.pid) / 2**20)

    asked(server, users, minutes * 60, tell)
    tenth = max(1, len(held) // 10)
    return statistics.mean(held[tenth : 2 * tenth] or held[:1]), statistics.mean(held[-tenth:])
