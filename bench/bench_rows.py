"""Does a site stay within its memory, and linear in rows? Rows ingested and one day closed, each in a process of its own.

python bench/bench_rows.py [--quick] [--millions N...] [--champion NAME] [--work DIR] [--out docs/results]
python bench/bench_rows.py --items N... [--rows N] [--known N...] [--out docs/results]

Rows are simulated: a hundred rows per user, items of Zipf-like popularity, likes that depend on both. The last of 30
days is taken in and closed by an update after the others; peak memory is the kernel's count for that process.

With `--items` it asks the same of content facts and large catalogues: the facts of a log of `--rows` rows, in a process
for each catalogue, similarity and bound on the items that all are compared with. It writes bench-catalogue.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import ROOT, Page, Row, arguments, gemm_probe, machine_words, write
from leash import leash

DAY, DAYS, START = 86_400_000, 30, 1_735_689_600_000  # ms; days in a log; 2025-01-01
PART = 1_000_000  # rows per file of the log
LIMIT, TEN = 6.0, 10_000_000  # GiB at ten million rows
STEPS = ("ingest", "first close", "day")
PERIODS, TOPICS, BRANDS, WORDS = 10, 60, 2_000, 30_000  # of the simulated catalogue and its log
SIMILARITIES = ("columns", "tfidf")


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
    work = place / "bench-rows"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    try:
        simulate(work / "log", rows * (DAYS - 1) // DAYS, rows // 100, range(DAYS - 1))
        simulate(work / "day", rows // DAYS, rows // 100, range(DAYS - 1, DAYS), seed=1)
        found = {}
        for name in STEPS:
            done = subprocess.run(
                [sys.executable, __file__, "--step", name, "--work", str(work), "--champion", champion],
                env={**os.environ, "REGRAFT_KEY_FILE": str(work / "vault.key")},
                stdout=subprocess.PIPE, text=True, check=False, preexec_fn=leash,
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


# -- catalogues --------------------------------------------------------------------------------------------


def catalogue(n_items: int, rows: int) -> Any:
    """A log whose items have titles of four to seven words, a brand and a topic, which people like or not."""
    from regraft.data.build import build_stream
    from regraft.data.periods import Periods

    rng, users = np.random.default_rng(0), rows // 20
    topic = rng.integers(TOPICS, size=n_items)
    words = (WORDS * rng.random((n_items, 7)) ** 3).astype(int)
    words[:, :3] = topic[:, None] * 50 + words[:, :3] % 50  # three words of its topic, the others of all
    titles = [" ".join(f"w{w}" for w in line[:n]) for line, n in zip(words, rng.integers(4, 8, n_items), strict=True)]
    brand = (topic + TOPICS * rng.integers(BRANDS // TOPICS, size=n_items)).astype(str)
    codes = pl.Series(range(n_items))
    items = pl.DataFrame(
        {"item_id": codes, "title": titles, "brand": brand, "topic": topic.astype(str)},
        schema_overrides={"item_id": pl.String},
    )
    taste = rng.normal(size=(users, TOPICS)) + rng.normal(size=TOPICS)
    user, item = rng.integers(users, size=rows), (n_items * rng.random(rows) ** 2).astype(int)
    liked = rng.random(rows) < 1 / (1 + np.exp(-1.5 * taste[user, topic[item]]))
    time_ = START + np.sort(rng.integers(DAYS * DAY, size=rows))
    log = pl.DataFrame({"user_id": user, "item_id": item, "timestamp": time_, "value": np.where(liked, 5.0, 1.0)})
    log = log.with_columns(
        pl.col("user_id", "item_id").cast(pl.String), pl.from_epoch("timestamp", "ms").dt.replace_time_zone("UTC"),
        event=pl.lit("rating"), line=pl.int_range(pl.len(), dtype=pl.Int64),
    )  # fmt: skip
    return build_stream(log, items, "rating > 3", Periods(by="count", n=PERIODS, warm_up=0.3))


def content(n_items: int, rows: int, similarity: str, known: int) -> None:
    """CPU seconds and peak memory of the content facts of such a log, and what they tell, as JSON."""
    from regraft.data.regimes import Regime
    from regraft.metrics.binary import auc
    from regraft.prompts import fact_sums
    from regraft.prompts.facts import fact_table

    fact_sums.MOST_KNOWN = known
    stream = catalogue(n_items, rows)
    fact_table(stream, Regime())
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    table = fact_table(stream, Regime(), similarity=similarity)
    took, peak = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    late = stream.targets[len(stream) // 2 :]
    told = {name: auc(stream.label[late], table[name].to_numpy()[late]) for name in ("alike_rate", "alike_vote")}
    found = {"similarity": similarity, "items": n_items, "rows": rows, "sold": len(stream.items), "bound": known}
    print(json.dumps(found | {"cpu": took, "peak": peak / 2**20, "before": before / 2**20} | told))


def catalogues(sizes: list[int], rows: int, bounds: list[int], out: Path) -> None:
    """Measures every size, and writes bench-catalogue.csv and bench-catalogue.md; lines that are there stay."""
    path = out / "bench-catalogue.csv"
    keys = ["similarity", "rows", "items", "bound"]
    for n_items, similarity, known in itertools.product(sizes, SIMILARITIES, bounds):
        given = ["--content", similarity, "--items", str(n_items), "--rows", str(rows), "--known", str(known)]
        done = subprocess.run([sys.executable, __file__, *given], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(f"content facts of {n_items:,} items ended with {done.returncode}")
        new = pl.DataFrame([json.loads(done.stdout.splitlines()[-1])]).with_columns(machine=pl.lit(machine_words()))
        print(new.drop("machine").row(0, named=True), flush=True)
        lines = pl.concat([pl.read_csv(path), new]) if path.is_file() else new
        lines = lines.unique(keys, keep="last").sort(keys)
        lines.write_csv(path, float_precision=4)
    path.with_suffix(".md").write_text(catalogue_page(lines), encoding="utf-8")


def catalogue_page(lines: pl.DataFrame) -> str:
    head = "| similarity | rows | items | of these sold | compared with at most | CPU s | peak GiB | before, GiB |"
    page = [
        "# Content facts of large catalogues", "", "`python bench/bench_rows.py --items N... --rows N --known N...`", "",
        f"{head} AUC of alike_rate | AUC of alike_vote |", "|---|" + "--:|" * 9,
        *(
            f"| {one['similarity']} | {one['rows']:,} | {one['items']:,} | {one['sold']:,} | {one['bound']:,} "
            f"| {one['cpu']:.3g} | {one['peak']:.2f} | {one['before']:.2f} | {one['alike_rate']:.4f} "
            f"| {one['alike_vote']:.4f} |"
            for one in lines.iter_rows(named=True)
        ),
        "", "## How", "",
        f"- A simulated log of {PERIODS} periods after a warm-up of 30 % of the rows, twenty rows per person; items have "
        f"titles of four to seven words, one of {BRANDS:,} brands and one of {TOPICS} topics, and people like topics.",
        "- A process for each line. CPU seconds are those of the content facts of all rows; `before` is the peak with "
        "the log and its other facts in memory, `peak` with content facts too.",
        "- `compared with at most`: the items with the most events so far that content facts are fitted on, and among "
        "which the nearest are sought; 50,000 in use. AUC is that of the later half of the examples. `alike_vote` looks "
        "at the person's own history, which is never bounded; only its weights of terms are.",
        "", f"Machine: {'; '.join(sorted(set(lines['machine'])))}.", "",
    ]  # fmt: skip
    return "\n".join(page)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--millions", type=float, nargs="+", help="sizes; default 1 2 5 10, quick 0.02 0.05")
    parser.add_argument("--champion", default="stack", help="the contender in service; default: that of regraft init")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "rows", help="where the site is put")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, nargs="+", help="sizes of catalogues whose content facts are measured")
    parser.add_argument("--rows", type=int, default=200_000, help="of the log with such a catalogue")
    parser.add_argument("--known", type=int, nargs="+", default=[50_000], help="bounds on the items compared with")
    parser.add_argument("--content", choices=SIMILARITIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.content:
        content(options.items[0], options.rows, options.content, options.known[0])
        return
    if options.items:
        catalogues(options.items, options.rows, options.known, options.out)
        return
    if options.step:
        step(options.step, options.work, options.champion)
        return
    sizes = options.millions or ([0.02, 0.05] if options.quick else [1, 2, 5, 10])
    before = gemm_probe()
    found = {rows: measured(rows, options.champion, options.work) for rows in (round(1e6 * m) for m in sizes)}
    write(page(found, options.champion, options.quick), rows_of(found), (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
