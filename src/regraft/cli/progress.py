"""How far a long step is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from regraft.cli.show import duration, say

EVERY = 10.0  # seconds between two lines


@contextmanager
def steps(what: str, unit: str = "step") -> Iterator[Callable[[int, int, float], None]]:
    """Gives a function (done, all, seconds left) to call after every step."""
    draw = _bar if sys.stderr.isatty() else _lines
    with draw(what, unit) as report:
        yield report


@contextmanager
def _lines(what: str, unit: str) -> Iterator[Callable[[int, int, float], None]]:
    began = last = time.monotonic()
    first = None

    def report(done: int, total: int, left: float) -> None:
        nonlocal last, first
        first = done - 1 if first is None else first  # a resumed build does not begin at 1
        now = time.monotonic()
        if now - last >= EVERY or done == total:
            last = now
            rate = (done - first) / max(now - began, 1e-9)
            say(f"{what}: {unit} {done:,} of {total:,}, {rate:,.1f} a second, {duration(left)} left", error=True)

    yield report


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Callable[[int, int, float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    began, first = time.monotonic(), None
    with Progress(*columns, console=Console(stderr=True, markup=False), transient=False) as bar:
        task = bar.add_task(what, total=None, state="")

        def report(done: int, total: int, left: float) -> None:
            nonlocal first
            first = done - 1 if first is None else first
            rate = (done - first) / max(time.monotonic() - began, 1e-9)
            state = f"{unit} {done:,} of {total:,}, {rate:,.1f} a second, {duration(left)} left"
            bar.update(task, completed=done, total=total, state=state)

        yield report
