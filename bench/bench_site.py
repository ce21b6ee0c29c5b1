"""A site in service, measured from outside: a day closed, requests, events taken in, a swap, memory.

python bench/bench_site.py [--quick] [--minutes 10] [--runs runs/site] [--out docs/results]

Two parts, each kept in --runs once it is measured: the same command goes on where it was stopped. The log is a
drift world of about 10,000 rows a day; the nano model is the one that a site builds of its own log.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from by_day import days_of, of_days, write_log
from common import ROOT, Page, Row, arguments, gemm_probe, markdown, repeats, taken, write
from kept import once
from load import BATCH, RATE, accepted, latency, memory
from story import CODES, Server, Story

from regraft.data.drift_world import simulate
from regraft.data.drift_world_settings import DAY, START, DriftWorld
from regraft.data.pseudonyms import VARIABLE

FIRST = 14  # days of the log that the site is made from
MOST = "the most that is allowed"


def story(folder: Path, users: int, items: int, days: int) -> Story:
    """A site that was made from the first days of a log, and the days that follow."""
    world = simulate(DriftWorld(users=users, items=items, periods=FIRST + days, seed=0, taste_change_at=None))
    rows = world.interactions.drop("line")
    opens = datetime.fromtimestamp((START + FIRST * DAY) / 1000, UTC)
    names = [f"{opens + timedelta(days=k):%Y-%m-%d}" for k in range(days)]
    environment = os.environ | {VARIABLE: str(folder / "keys" / "vault.key")}
    made = Story(folder, rows, world.items, names, environment=environment)
    if Path(made.site, "regraft.yaml").exists():
        return made
    first = log(made, "log", [day for day in days_of(rows) if day < names[0]])
    made.regraft("init", made.site, "--from", str(first))
    return made


def log(made: Story, name: str, days: list[str]) -> Path:
    """A log of these days, with its items."""
    return write_log(made.out / name, of_days(made.rows, days), made.items)


def closed(made: Story, day: str) -> float:
    """Seconds of the update that closes a day; whether the gate promotes its version does not matter here."""
    made.regraft("ingest", made.site, str(log(made, day, [day])))
    took = taken(lambda: made.regraft("update", made.site, "--json", code=set(CODES.values()))).wall
    newest = json.loads(made.regraft("versions", made.site, "--json"))[-1]
    assert newest["saw nothing from"] > day, f"{day} was not closed: {newest}"
    return took


def settings(made: Story, **values: Any) -> None:
    """Changes regraft.yaml."""
    path = Path(made.site) / "regraft.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


@contextmanager
def serving(made: Story) -> Iterator[Server]:
    server = Server(made)
    try:
        yield server
    finally:
        server.stop()


def people(made: Story, n: int) -> list[str]:
    return made.rows["user_id"].unique().sort().sample(n, seed=0).to_list()


def swap(made: Story, server: Server, to: str) -> float:
    """Seconds from the moment at which the alias has moved until a request is answered by the version."""
    made.regraft("promote", made.site, to, "--accept", "measured")
    return server.waits_for(to)


def site_of(folder: Path, options: argparse.Namespace) -> Story:
    """The site that the parts measure, made once and kept in `folder`, and the days that its updates have not seen."""
    users, items = (150, 120) if options.quick else (2400, 400)
    return story(folder, users, items, repeats(options) + 1)


def of_updates(made: Story, options: argparse.Namespace) -> list[Row]:
    """Days closed with the classical stack alone."""
    times = repeats(options)
    rows_of_day = len(made.of(made.days[0]))
    closing = statistics.median(closed(made, day) for day in made.days[:times])
    return [Row(f"s to close a day of {rows_of_day:,} rows, stack", MOST, closing, 20.0, times, 1.0)]


def with_nano(made: Story, day: str) -> list[str]:
    """The newest versions of the stack and of a nano model, which the day's update makes."""
    versions = json.loads(made.regraft("versions", made.site, "--json"))
    if versions[-1]["saw nothing from"] <= day:
        settings(made, challengers=[{"use": "fine-tune", "name": "nano"}])
        closed(made, day)
        versions = json.loads(made.regraft("versions", made.site, "--json"))
    return [row["version"] for row in versions[-2:]]


def of_requests(made: Story, options: argparse.Namespace) -> list[Row]:
    times, seconds = repeats(options), 3.0 if options.quick else 60.0
    crowd = people(made, 100 if options.quick else 500)
    stack, nano = with_nano(made, made.days[times])
    with serving(made) as server:
        if server.version() != stack:
            swap(made, server, stack)
        p50, p99 = latency(server, crowd, seconds)
        n = round(seconds * RATE)
        rows = [
            Row("ms per request, median, stack", MOST, p50, 10.0, n, 1.0),
            Row("ms per request, p99, stack", MOST, p99, None, n),
        ]
        swaps = [swap(made, server, to) for to in [nano, stack] * times]
        rows.append(Row("s until a swap is seen, longest", MOST, max(swaps), 1.0, len(swaps), 1.0))
        swap(made, server, nano)
        p50, p99 = latency(server, crowd, seconds)
        rows += [
            Row(f"ms per request, median, nano, {RATE:g} requests/s", MOST, p50, 30.0, n, 1.0),
            Row(f"ms per request, p99, nano, {RATE:g} requests/s", MOST, p99, 120.0, n, 1.0),
        ]
        posts = 2 if options.quick else 40
        rate = accepted(server, made, START + (FIRST + times + 1) * DAY, posts, times)
        rows.append(
            Row("events accepted durably per second", "the least that is asked", rate, 5000.0, posts * BATCH, 1.0,
                more_is_better=True)
        )  # fmt: skip
        print(f"Memory is watched for {options.minutes:g} minutes", flush=True)
        first, last = memory(server, crowd, made.items["item_id"].to_list(), options.minutes)
        words = f"MiB of the server after {options.minutes:g} minutes"
        rows.append(Row(words, "1.02 times those at the beginning", last, 1.02 * first, 1, 1.0, exact=True))
    return rows


def part(folder: Path, name: str, measure: Callable[[], list[Row]]) -> list[Row]:
    """The rows of a part, with the probes around it; kept in `folder`."""

    def probed() -> list[dict[str, Any]]:
        before, rows = gemm_probe(), measure()
        probes = (before, gemm_probe())
        return [asdict(row) | {"probes": probes} for row in rows]

    rows = [Row(**row) for row in once(folder / f"{name}.json", probed)]
    print("\n".join(markdown(rows)), flush=True)  # what follows may take long
    return rows


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--minutes", type=float, default=None, help="for which memory is watched; default 10, quick 0.2"
    )
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "site", help="where each finished part is kept")
    options = parser.parse_args()
    options.minutes = options.minutes or (0.2 if options.quick else 10.0)
    before = gemm_probe()
    folder = options.runs / ("quick" if options.quick else "full")
    if not (folder / "updates.json").exists():
        shutil.rmtree(folder / "site", ignore_errors=True)  # a day that is closed already tells no time
    made = site_of(folder / "site", options)
    rows = part(folder, "updates", lambda: of_updates(made, options))
    rows += part(folder, "requests", lambda: of_requests(made, options))
    page = Page(
        name="bench-site",
        title="A site in service",
        what="A drift world's log is made into a site, its days are closed by `regraft update`, and `regraft serve`, a process of its own, is asked "
        "over HTTP. `theirs` is what is allowed, or asked for at least.",
        how=[
            "An update is the whole command, from the start of its process: rows in SQL and files, checks of the gate before and after, training, publishing.",
            f"A request is GET /recommend?n=10: candidates of four sources, facts, scores, reasons, and the list on the disk. {RATE:g} requests per second, "
            "timed from when each was due, on one connection; everybody was asked for once before.",
            f"Events come {BATCH} to a post, one post after another, and are on the disk when each is answered; everybody does something in turn, below the caps of a day. A swap is timed from the end of the command that "
            "moves the alias until a request names the new version.",
            "Memory is the server's resident set: the mean of the second tenth of the time against that of the last tenth, with a request in every "
            f"{1000 / RATE:g} ms and an event with every fifth.",
        ],
        caveats=["Client and server share the machine.", "The disk decides how fast events are accepted."],
        quick=options.quick,
    )
    write(page, rows, (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
