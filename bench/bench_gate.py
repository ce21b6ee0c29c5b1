"""How many faulty days the gate finds in the drift world, and how many clean days it disturbs.

python bench/bench_gate.py [--quick] [--seeds 15 16 17 18 19] [--runs runs/gate] [--out docs/results]

Every seed is one world, and its counts are kept in --runs: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from by_day import day_of, days_of, of_days, write_log
from common import ROOT
from kept import once
from rates import Row, markdown, write_csv

from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE
from regraft.files import write_text
from regraft.release import close, gate
from regraft.release.evidence import Day
from regraft.release.ingest import ingest
from regraft.release.init import init
from regraft.release.promote import promote
from regraft.release.publish import publish_remade
from regraft.release.update import look, update
from regraft.setup.config import ContenderOptions
from regraft.setup.site import Site
from regraft.state import lease, versions
from regraft.state.database import transaction
from regraft.testing.faults import FAULTS
from regraft.workbench import Workbench

EARLIER = 28
FIRST = 12  # days in the log that a site is made from
SHUFFLES = 3  # models of shuffled labels that are offered to each site
REQUIRED = ("label flip", "doubled day", "empty day", "+9 h shift", "flood by 1 % of users")
CLEAN = DriftWorld(
    users=600, items=200, periods=48, churn=0.02, taste_change_at=None, new_items_at=None, season_every=None
)
DRIFT = replace(CLEAN, taste_change_at=20, new_items_at=30, season_every=4)
SMALL = replace(CLEAN, users=60, items=60, visits=0.3, impressions=4)
SERVED = replace(CLEAN, users=300, items=100, periods=FIRST + 6)


# -- before training: the checks of a day's rows, without a site --------------------------------------


def closed_days(world: DriftWorld) -> Iterator[tuple[pl.DataFrame, str, pl.DataFrame]]:
    """(rows of the 28 days before, day, its rows) for every day that has a week before it."""
    rows = simulate(world).interactions
    rows = rows.with_columns(day=day_of(rows))  # worked out once for all days
    days = days_of(rows)
    for k in range(8, len(days)):
        before = rows.filter(pl.col("day").is_in(days[max(0, k - EARLIER) : k]))
        yield stored(before), days[k], rows.filter(day=days[k]).drop("day")


def stored(rows: pl.DataFrame) -> pl.DataFrame:
    """As a site keeps them; a row becomes known when it happens."""
    return rows.select(
        uid="user_id", item_id="item_id", time="timestamp", known_at="timestamp", event="event", value="value",
        label=(pl.col("event") == "click").cast(pl.Int8), request_id=pl.lit(None, pl.String),
    )  # fmt: skip


def alarms(world: DriftWorld, faults: bool) -> dict[str, list[int]]:
    """[found, n] of clean days that are held, and of every fault on every third day."""
    checks, found, n = gate.checks({}, "before"), Counter[str](), Counter[str]()
    for k, (before, day, rows) in enumerate(closed_days(world)):
        made = {"clean": rows}
        if faults and k % 3 == 0:
            made |= {name: fault(rows, np.random.default_rng([world.seed, k])) for name, fault in FAULTS.items()}
        for name, today in made.items():
            findings = gate.look(checks, Day.of(pl.concat([before, stored(today)]), day))
            found[name] += gate.outcome(findings) == "hold"
            n[name] += 1
    return {name: [found[name], n[name]] for name in n}


# -- a site: clean days closed by updates, faulty days looked at, worse models offered ------------------


@dataclass(frozen=True)
class Shop:
    """A site in a folder that holds the first days of a world, and the log of all its days."""

    folder: Path
    rows: pl.DataFrame
    items: pl.DataFrame

    @property
    def days(self) -> list[str]:
        return days_of(self.rows)

    def of(self, *wanted: str) -> pl.DataFrame:
        return of_days(self.rows, wanted)

    def log(self, rows: pl.DataFrame) -> Path:
        """A log file of these rows, with its items beside it."""
        return write_log(self.folder / "log", rows, self.items)


@contextmanager
def shop(world: DriftWorld) -> Iterator[Shop]:
    simulated = simulate(world)
    with tempfile.TemporaryDirectory() as place:
        os.environ[VARIABLE] = str(Path(place) / "vault.key")
        made = Shop(Path(place), simulated.interactions, simulated.items)
        init(made.folder / "shop", made.log(made.of(*made.days[:FIRST])))
        yield made


def in_service(world: DriftWorld) -> dict[str, list[int]]:
    """[found, n] of updates on clean days that were not promoted, of faults that were held, of worse models kept."""
    found, n = Counter[str](), Counter[str]()
    with shop(world) as made:
        settings = made.folder / "shop" / "regraft.yaml"
        worse = "challengers: [{use: rates}, {use: popularity}]"
        settings.write_text(settings.read_text().replace("challengers: []", worse))
        for k, day in enumerate(made.days[FIRST:]):
            if k % 3 == 0:
                for name, fault in FAULTS.items():
                    faulty = fault(made.of(day), np.random.default_rng([world.seed, k]))
                    found[name] += _held(made.folder, None if faulty.is_empty() else made.log(faulty))
                    n[name] += 1
            site = Site.open(made.folder / "shop")
            _take(site, made.log(made.of(day)))
            done = update(site)
            found["updates"] += done.state != "promoted"
            n["updates"] += 1
        for name in done.versions[1:]:
            kept = promote(site, name).state == "kept"
            found["worse models"] += kept
            n["worse models"] += 1
            if not kept:
                break  # one promotion by hand a day
    return {name: [found[name], n[name]] for name in n}


def of_shuffled_labels(world: DriftWorld) -> dict[str, list[int]]:
    """[kept out, n] of versions of the champion's own contender that learnt from labels in random order."""
    kept, n = 0, 0
    with shop(world) as made:
        site = Site.open(made.folder / "shop")
        _take(site, made.log(made.of(made.days[FIRST])))
        update(site)
        for number in range(SHUFFLES):
            n += 1
            kept += promote(site, _shuffled(site, world.seed, number)).state == "kept"
            if kept < n:
                break  # one promotion by hand a day
    return {"shuffled labels": [kept, n]}


def _shuffled(site: Site, seed: int, number: int) -> str:
    """Makes a version like the champion, from the same rows with their labels in random order; its name."""
    with transaction(site.engine) as connection:
        cuts, alias = site.closed_cuts(connection), versions.alias(connection, "champion")
        assert alias is not None
        champion = versions.version(connection, alias.version)
    stream = site.stream(cuts)
    labels = np.random.default_rng([seed, number]).permutation(stream.label)
    work = close.Work(ContenderOptions.model_validate(champion.lineage["contender"]))
    label, staging = work.options.label, site.staging / f"shuffled-{number}"
    bench = Workbench(site, replace(stream, label=labels, shared={}))
    took = close.renew(bench, [work], len(cuts.starts), staging, str)[label]
    with lease.holding(site.engine, site.lease_name) as held:
        return publish_remade(site, held, champion, staging / label, took, [], lambda *_: None)


def _held(folder: Path, log: Path | None) -> bool:
    """Whether a copy of the site would hold a day with these rows."""
    copy = folder / "copy"
    shutil.copytree(folder / "shop", copy)
    try:
        site = Site.open(copy)
        if log is not None:
            _take(site, log)
        return look(site).state == "held"
    finally:
        shutil.rmtree(copy)


def _take(site: Site, log: Path) -> None:
    with lease.holding(site.engine, site.lease_name) as held:
        ingest(site, log, held)


# -- the page -------------------------------------------------------------------------------------------

PARTS = {
    "clean": lambda seed: alarms(replace(CLEAN, seed=seed), faults=True),
    "drift": lambda seed: alarms(replace(DRIFT, seed=seed), faults=False),
    "small": lambda seed: alarms(replace(SMALL, seed=seed), faults=False),
    "site": lambda seed: in_service(replace(SERVED, seed=seed)),
    "shuffled": lambda seed: of_shuffled_labels(replace(SERVED, seed=seed)),
}


def counted(seeds: list[int], runs: Path) -> dict[str, Counter[str]]:
    """Sums over seeds: PART -> counts under `NAME` and `NAME n`. Parts that lie in the folder are not run again."""
    totals: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for seed in seeds:
        for part, run in PARTS.items():
            for name, (found, n) in once(runs / f"{part}-{seed}.json", partial(run, seed)).items():
                totals[part].update({name: found, f"{name} n": n})
            print(f"seed {seed}, {part}: done", flush=True)
    return totals


def rows_of(totals: dict[str, Counter[str]]) -> list[Row]:
    def row(measure: str, part: str, name: str, target: float | None = None, at_most: bool = False) -> Row:
        return Row(measure, totals[part][name], totals[part][f"{name} n"], target, at_most)

    found = [row(f"{name}: held", "clean", name, 0.95 if name in REQUIRED else None) for name in FAULTS]
    found += [row(f"{name}: held by a site", "site", name) for name in FAULTS]
    return [
        *found,
        row("clean day, 2,500 rows: held", "clean", "clean", 0.02, at_most=True),
        row("clean day, 30 rows: held", "small", "clean", 0.02, at_most=True),
        row("day of a world in drift: held", "drift", "clean"),
        row("clean day closed by an update: not promoted", "site", "updates"),
        row("worse model offered: kept out", "site", "worse models", 0.95),
        row("model of shuffled labels offered: kept out", "shuffled", "shuffled labels", 0.95),
    ]


def page(rows: list[Row], seeds: list[int]) -> str:
    return "\n".join(
        [
            "# The gate",
            "",
            "`python bench/bench_gate.py`",
            "",
            f"Drift world, seeds {', '.join(map(str, seeds))}; default settings of all checks, tuned on seeds from 100 on. Intervals are exact (Clopper-Pearson, 95 %); days of one world are not quite independent, so they are a little too narrow.",
            "",
            *markdown(rows),
            "",
            "## How",
            "",
            "- **held**: the checks before training look at a day's rows beside the 28 days before it, at least 8. Worlds of 600 users and about 2,500 rows a day; every fault on every third day. No model is asked.",
            "- **held by a site**: the faulty file is taken in by a copy of a real site (300 users) and `update --dry-run` is asked.",
            "- **clean day closed by an update**: all checks, those after training included, on a site whose champion is `stack`.",
            "- **worse model**: `regraft promote` is asked to put `rates` and `popularity` in the place of the stack.",
            f"- **model of shuffled labels**: {SHUFFLES} versions of the stack for each site, trained on the same rows with their labels in random order, stand for election beside the true one.",
            "- **world in drift**: tastes turn, a burst of new items, a genre in season every fourth day. Nothing is wrong with these days; what is held here is what a person is asked about for nothing.",
            "- **30 rows**: a small site, about 15 users a day, for false alarms alone. On the seeds of the tuning, half a day, a wrong clock and a promoted item were mostly not found at sites of 10 to 60 rows a day.",
            "",
            "## Caveats",
            "",
            "- Limits were set on seeds from 100 on. Seeds 0 to 4 and 10 to 14 had been looked at before the last change: on seed 14 the gate had let `rates` in against the stack, and since then another contender must not even look worse on older rows. Those of this page were run once, after that.",
            "- A site of 300 users has too few held-out users a day for an interval of `effect`: worse models were kept out by `trusted`, which looks at older held-out rows too.",
            "- No worse model is offered to a site whose last day is held.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one seed, nothing is written to --out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[15, 16, 17, 18, 19])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "gate")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    seeds = options.seeds[:1] if options.quick else options.seeds
    rows = rows_of(counted(seeds, options.runs))
    for row in rows:
        print(*row.cells(), sep="\t")
    if options.quick:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    write_csv(options.out / "gate.csv", rows)
    write_text(options.out / "gate.md", page(rows, seeds))


if __name__ == "__main__":
    main()
