"""A small site with two years of made-up numbers, served in a thread for a browser to look at."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import numpy as np
import uvicorn

from regraft.dashboard.app import make_app
from regraft.dashboard.dashboard_words import DAILY, LASTING, PERCENT, SHORT, SPENT
from regraft.setup.site import Site
from regraft.state.aggregates import Aggregate, write
from regraft.state.database import transaction

NEWEST = date(2025, 1, 17)  # the last day that the site closed


def made_up(days: int, arms: tuple[str, ...] = ("",), segments: tuple[str, ...] = ("",)) -> Iterator[Aggregate]:
    """Every measure of the pages on so many days up to the newest, as random walks with intervals."""
    rng = np.random.default_rng(0)
    for measure in dict.fromkeys((*SHORT, *LASTING, *DAILY, *SPENT, "lists")):
        level = 0.3 if measure in PERCENT else 0.7 if "auc" in measure else 2.0
        for arm in arms:
            for segment in segments:
                values = level * (1 + 0.1 * np.cumsum(rng.normal(0, 0.05, days)))
                for k, value in enumerate(values):
                    day = (NEWEST - timedelta(days=days - 1 - k)).isoformat()
                    yield Aggregate(day, measure, value, 0.97 * value, 1.03 * value, 5000 + k, arm, segment)


def staying(arms: tuple[str, ...] = ("",)) -> Iterator[Aggregate]:
    """A curve of who is still there after 0 to 28 days."""
    for arm in arms:
        for after in range(29):
            value = 0.97**after
            yield Aggregate(
                NEWEST.isoformat(), "staying", value, value - 0.02, min(value + 0.02, 1), 900, arm, f"after={after:02d}"
            )


def cohorts() -> Iterator[Aggregate]:
    """A map of twelve weeks; the people of the newest one are few."""
    monday = NEWEST - timedelta(days=NEWEST.weekday() + 7)
    for back in range(1, 13):
        joined, n = monday - timedelta(weeks=back), 5 if back == 1 else 40 + back
        for after in range(1, back + 1):
            value = 0.6 / after
            yield Aggregate(
                joined.isoformat(), "cohort_return", value, value - 0.05, value + 0.05, n, segment=f"after={after:02d}"
            )


def fill(site: Site, *rows: Iterator[Aggregate]) -> None:
    """Writes numbers into the site."""
    with transaction(site.engine) as connection:
        for some in rows:
            write(connection, some)


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """The address of the dashboard, as long as this is open."""
    server = uvicorn.Server(uvicorn.Config(make_app(site), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
