"""Does a site stay within its memory, and linear in rows? Rows ingested and one day closed, each in a process of its own.

python bench/bench_rows.py [--quick] [--millions N...] [--champion NAME] [--work DIR] [--out docs/results]

Rows are simulated: a hundred rows per user, items of Zipf-like popularity, likes that depend on both. The last of 30
days is taken in and closed by an update after the others; peak memory is the kernel's count for that process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from common import Page, Row, arguments, gemm_probe, write

DAY, DAYS, START = 86_400_000, 30, 1_735_689_600_000  # ms; days in a log; 2025-01-01
PART = 1_000_000  # rows per file of the log
LIMIT, TEN = 6.0, 10_000_000  # GiB at ten million rows
STEPS = ("ingest", "first close", "day")


def simulate(folder: Path, rows: int, users: int, days: range, seed: int = 0) -> None:
    """Writes a log of these days as Parquet parts: user_id, item_id, timestamp (ms), event."""
    rng, items = np.random.default_rng(seed), 5_000
    folder.mkdir(parents=True)
    people = np.random.default_rng(7)  # the same ones in every log
    taste, liked = people.normal(size=users), people.normal(size=items)
    for number, first in enumerate(range(0, rows, PART)):
        n = min(PART, rows - first)
        user = rng.integers(users, size=n)
        item = np.minimum((items * rng.random(n) ** 3).astype(int), items - 1)
        time_ = START + np.sort(rng.integers(days.start * DAY, days.stop * DAY, size=n))
        click = rng.random(n) < 1 / (1 + np.exp(-taste[user] - liked[item]))
        frame = pl.DataFrame({"user_id": user, "item_id": item, "timestamp": time_, "event": click})
        frame = frame.with_columns(
            pl.format("u{}", "user_id"), pl.format("i{}", "item_id"),
            pl.when("event").then(pl.lit("click")).otherwise(pl.lit("skip")).alias("event"),
        )  # fmt: skip
        frame.write_parquet(folder / f"part-{number:03d}.parquet")


def step(name: str, work: Path, champion: str) -> None:
    """One step in this process; prints its CPU seconds and peak memory (GiB) as JSON."""
    from regraft.data.pseudonyms import load_key
    from regraft.release.ingest import ingest
    from regraft.release.init import first_close
    from regraft.release.recovery import working
    from regraft.release.update import update
    from regraft.setup.site import Site
    from regraft.setup.site_options import FILE

    folder = work / "shop"
    if not folder.exists():
        folder.mkdir()
        (folder / FILE).write_text(
            f"name: shop\ndata: {{label: 'event == \"click\"'}}\nchampion: {{use: {champion}}}\n"
        )
        load_key(folder, make=True)
    site = Site.open(folder)
    began = time.process_time()
    if name == "ingest":
        with working(site, "ingest") as held:
            ingest(site, work / "log", held)
    elif name == "first close":
        last = START + (DAYS - 1) * DAY
        with working(site, "init") as held:
            first_close(site, held, ([START + 10 * DAY, last - DAY], last))
    else:
        with working(site, "ingest") as held:
            ingest(site, work / "day", held)
        outcome = update(site, accept=None)
        assert outcome.state in ("promoted", "kept"), outcome
    took = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": took, "peak": peak}))


def measured(rows: int, champion: str, place: Path) -> dict[str, dict[str, float]]:
    """CPU seconds and peak memory of every step for a site of so many rows."""
    work = Path(tempfile.mkdtemp(prefix="rows-", dir=place))
    try:
        simulate(work / "log", rows * (DAYS - 1) // DAYS, rows // 100, range(DAYS - 1))
        simulate(work / "day", rows // DAYS, rows // 100, range(DAYS - 1, DAYS), seed=1)
        found = {}
        for name in STEPS:
            done = subprocess.run(
                [sys.executable, __file__, "--step", name, "--work", str(work), "--champion", champion],
                env={**os.environ, "REGRAFT_KEY_FILE": str(work / "vault.key")},
                stdout=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{name} of {rows:,} rows ended with {done.returncode}")
            found[name] = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{rows:,} rows, {name}: {found[name]['seconds']:.1f} CPU s, {found[name]['peak']:.2f} GiB", flush=True
            )
        return found
    finally:
        shutil.rmtree(work)


def rows_of(found: dict[int, dict[str, dict[str, float]]]) -> list[Row]:
    """Peak memory against the limit at the largest size, CPU seconds per row against the smallest, for every step."""
    least, most = min(found), max(found)
    table = []
    for name in STEPS:
        peak, small = found[most][name]["peak"], found[least][name]["seconds"] / (least / 1e6)
        target = 1.0 if most >= TEN else None  # fewer rows within the limit prove nothing
        table.append(Row(f"peak GiB, {name} at {most:,} rows", "the limit", peak, LIMIT, most, target, exact=True))
        for rows in sorted(found):
            seconds = found[rows][name]["seconds"] / (rows / 1e6)
            peer = f"{least:,} rows" if rows > least else "itself"
            table.append(Row(f"CPU seconds per million rows, {name} at {rows:,}", peer, seconds, small, rows))
    return table


def at_ten_million(found: dict[int, dict[str, dict[str, float]]]) -> str:
    """Where the peaks of the smallest and the largest size lead to, in words; empty where ten millions were run."""
    least, most = min(found), max(found)
    if most >= TEN or least == most:
        return ""
    told = []
    for name in STEPS:
        low, high = (found[rows][name]["peak"] for rows in (least, most))
        slope = (high - low) / (most - least)
        told.append(f"{name} {high + slope * (TEN - most):.1f} ({slope * 1e6:.2f} per million rows)")
    return f"Not run at {TEN:,} rows. A line through the peaks at {least:,} and {most:,} rows leads to, in GiB: {'; '.join(told)}."


def page(found: dict[int, dict[str, dict[str, float]]], champion: str, quick: bool) -> Page:
    peaks = "; ".join(
        f"{rows:,} rows: " + ", ".join(f"{name} {found[rows][name]['peak']:.2f}" for name in STEPS)
        for rows in sorted(found)
    )
    return Page(
        name="bench-rows",
        title="How many rows a site holds",
        what=f"A site with the champion `{champion}` in a process for each step: {DAYS - 1} days are taken in, two periods (19 days and one) are closed, then the last day is "
        f"taken in and closed by an update. At most {LIMIT:g} GiB for ten million rows, and CPU seconds that grow no faster than rows.",
        how=[
            "Simulated rows: a hundred per user, 5,000 items of Zipf-like popularity, a Parquet log in parts of a million rows, read by the reader `table`.",
            "Peak memory is the largest resident set that the kernel counted for the process (ru_maxrss), the imports of regraft and its libraries included.",
            f"Peak GiB by size: {peaks}.",
        ],
        caveats=[
            "Titles are ids: texts of items cost more where there are any.",
            "One run per size.",
            "Seconds are those of the processor, as other work ran on the machine.",
            *filter(None, [at_ten_million(found)]),
        ],
        quick=quick,
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--millions", type=float, nargs="+", help="sizes; default 1 2 5 10, quick 0.02 0.05")
    parser.add_argument("--champion", default="stack", help="the contender in service; default: that of regraft init")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), help="where the site is put")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step, options.work, options.champion)
        return
    sizes = options.millions or ([0.02, 0.05] if options.quick else [1, 2, 5, 10])
    before = gemm_probe()
    found = {rows: measured(rows, options.champion, options.work) for rows in (round(1e6 * m) for m in sizes)}
    write(page(found, options.champion, options.quick), rows_of(found), (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
