"""How long the dashboard takes for a page of a large site: two years of daily numbers, a million people.

python bench/bench_dashboard.py [--quick] [--out docs/results]

Pages are asked for in this process, over HTTP as a browser would, without a browser's own time.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from common import ROOT, machine_words
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update

from regraft.dashboard.app import make_app
from regraft.dashboard.export import export
from regraft.dashboard.pages import PAGES
from regraft.dashboard.view import View
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE
from regraft.files import write_text
from regraft.metrics.measures import MEASURES
from regraft.release.init import init
from regraft.release.long_term import CURVES, GAIN, STAYING
from regraft.release.runs import date_of
from regraft.setup.site import DAY, Site
from regraft.state import ledger
from regraft.state.database import transaction
from regraft.state.tables import aggregates, alias_history, batches, files, periods, runs, vault, versions

DAYS, PEOPLE = 730, 1_000_000
ARMS = ("", "control", "treatment")
SEGMENTS = ("people=new", "people=light", "people=heavy")
WORLD = DriftWorld(users=200, items=60, periods=12, seed=1, taste_change_at=None)
TARGET = 0.3  # seconds, warm
COLUMNS = ("page", "warm", "warm_cpu", "first", "kilobytes", "target", "met", "n")
AT_ONCE = 5_000


class Timed(NamedTuple):
    """Seconds of one page: median of warm ones, wall and CPU, and the first one; its size; how many warm ones."""

    page: str
    warm: float
    cpu: float
    first: float
    size: int
    n: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = str(Path(folder) / "vault.key")
        site = large_site(Path(folder), 60 if given.quick else DAYS, 10_000 if given.quick else PEOPLE)
        client = TestClient(make_app(site), base_url="http://127.0.0.1:8100")
        found = [timed(client, path, 3 if given.quick else 7) for path in paths()]
        size = export(site, Path(folder) / "board.html", View(weeks=104)).stat().st_size
    write(found, size, given.out, given.quick)


def paths() -> list[str]:
    """Every page as it opens, and those with numbers by day over all two years, arms apart."""
    menu = [page.path for page in PAGES if page.group]
    return [*menu, *(f"{path}?weeks=104&arm=each" for path in ("/", "/long-term", "/cost", "/updates"))]


def timed(client: TestClient, path: str, times: int) -> Timed:
    seconds, cpu, size = [], [], 0
    for _ in range(times + 1):
        began, at_work = time.perf_counter(), time.process_time()
        answer = client.get(path)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - at_work)
        assert answer.status_code == 200, path
        size = len(answer.content)
    return Timed(path, median(seconds[1:]), median(cpu[1:]), seconds[0], size, times)


# -- a large site --------------------------------------------------------------------------------------


def large_site(folder: Path, days: int, people: int) -> Site:
    """A small site whose tables are filled up: days, versions, ledger, batches, numbers and people."""
    world = simulate(WORLD)
    log = folder / "log"
    log.mkdir()
    world.interactions.drop("line").write_csv(log / "interactions.csv")
    world.items.write_csv(log / "items.csv")
    site, _ = init(folder / "shop", log / "interactions.csv")
    with transaction(site.engine) as connection:
        newest = site.closed_cuts(connection).end - DAY
        dates = [date_of(newest - k * DAY) for k in range(days)][::-1]
        for part in _parts(_numbers(dates)):
            connection.execute(insert(aggregates).prefix_with("OR REPLACE"), part)
        for part in _parts(_people(people)):
            connection.execute(insert(vault), part)
        _history(connection, dates)
    return site


def _parts(rows: Iterator[dict]) -> Iterator[list[dict]]:
    part = []
    for row in rows:
        part.append(row)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _numbers(dates: list[str]) -> Iterator[dict]:
    """Every measure of everybody, of three arms and of three kinds of people, as random walks; curves of the last day."""
    rng = np.random.default_rng(0)
    where = [(arm, "") for arm in ARMS] + [("", segment) for segment in SEGMENTS]
    for measure in MEASURES:
        if measure.name in (*CURVES, "cohort_return"):
            continue
        for arm, segment in where:
            walk = 0.4 * np.exp(np.cumsum(rng.normal(0, 0.02, len(dates))))
            for day, value in zip(dates, walk.tolist(), strict=True):
                yield _row(day, measure.name, value, arm, segment)
    for arm in ARMS:
        for after in range(29):
            yield _row(dates[-1], STAYING, 0.97**after, arm, f"after={after:02d}")
    for after in range(29):
        yield _row(dates[-1], GAIN, 0.01 * after, "", f"after={after:02d}")
    for day in dates[::7]:
        for after in range(1, 13):
            yield _row(day, "cohort_return", 0.5 / after, "", f"after={after:02d}")


def _row(day: str, measure: str, value: float, arm: str, segment: str) -> dict:
    return {
        "day": day, "measure": measure, "arm": arm, "segment": segment, "value": value, "low": 0.95 * value,
        "high": 1.05 * value, "n": 40_000,
    }  # fmt: skip


def _people(n: int) -> Iterator[dict]:
    for k in range(n):
        yield {"pseudonym": f"{k:064x}", "key_id": "bench", "uid": f"{k:032x}"}


def _history(connection, dates: list[str]) -> None:
    """A run, a version, a move of the champion, a batch and a file for each day before those that are there."""
    last = connection.execute(select(runs).order_by(runs.c.id.desc())).first()
    first = connection.execute(select(versions).order_by(versions.c.number)).first()
    assert last and first
    for k, day in enumerate(dates[:-8], start=1):
        at = _ms(day)
        values = {**last._mapping, "id": last.id + k, "key": f"bench{k}", "date": day, "begun": at, "ended": at + 9_000}
        connection.execute(insert(runs).values(**values))
        name = f"shop-v{1000 + k:06d}"
        made = {**first._mapping, "name": name, "number": 1000 + k, "cut": at, "run": last.id + k, "at": at}
        connection.execute(insert(versions).values(**made))
        entry = ledger.append(connection, "promoted", {"date": day, "alias": "champion", "to": name}, at)
        connection.execute(insert(alias_history).values(alias="champion", version=name, epoch=k + 1, entry=entry.id))
        batch = connection.execute(
            insert(batches).values(
                source="day.csv", sha256="0" * 64, rows_in=9, accepted=9, set_aside=0, already_there=0,
                state="accepted", at=at,
            ).returning(batches.c.id)
        ).scalar_one()  # fmt: skip
        listed = {"name": f"bench/{day}", "day": day, "sha256": "0" * 64, "rows": 100_000, "bytes": 10**6}
        connection.execute(insert(files).values(**listed, batch=batch))
    connection.execute(update(periods).values(run=last.id))


def _ms(day: str) -> int:
    return round((datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)).timestamp() * 1000)


# -- what is told --------------------------------------------------------------------------------------


def write(found: list[Timed], size: int, out: Path, quick: bool) -> None:
    rows = [
        {
            "page": one.page, "warm": f"{one.warm:.3f}", "warm_cpu": f"{one.cpu:.3f}", "first": f"{one.first:.3f}",
            "kilobytes": f"{one.size / 1000:.0f}", "target": f"<= {TARGET}", "met": "yes" if one.warm <= TARGET else "no",
            "n": one.n,
        }
        for one in found
    ]  # fmt: skip
    rows.append({
        "page": "export of two years", "warm": "", "warm_cpu": "", "first": "",
        "kilobytes": f"{size / 1000:.0f}", "target": "<= 2000 kB", "met": "yes" if size <= 2_000_000 else "no", "n": 1,
    })  # fmt: skip
    for row in rows:
        print(" | ".join(str(row[c]) for c in COLUMNS))
    out.mkdir(parents=True, exist_ok=True)
    with (out / "dashboard.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    lines = [
        "# The dashboard", "", f"`python bench/bench_dashboard.py{' --quick' if quick else ''}`", "",
        f"Seconds of a page written by the server. A site with {DAYS} closed days, {DAYS * len(MEASURES) * 6:,} daily numbers, "
        f"{DAYS} versions, a ledger of as many entries, which is checked on the page that shows it, and {PEOPLE:,} people. "
        f"Machine: {machine_words()}, shared with other work, so that CPU seconds are the surer number.", "",
        "| " + " | ".join(COLUMNS) + " |", "|---|" + "--:|" * 4 + "---|---|--:|",
        *("| " + " | ".join(str(row[c]) for c in COLUMNS) + " |" for row in rows), "",
        "- **warm**: median of the asks after the first; a figure of the same numbers is drawn once and kept.",
        "- **first**: with every figure drawn anew.",
        "- The rows of a pilot are not read here: its numbers are worked out once per closed day beside the page, which says so "
        "until they are there.", "",
    ]  # fmt: skip
    write_text(out / "dashboard.md", "\n".join(lines))


if __name__ == "__main__":
    main()
