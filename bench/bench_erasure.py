"""What an erasure takes, step by step, and what is served meanwhile and afterwards, per contender.

python bench/bench_erasure.py [--only CONTENDER ...] [--runs runs/erasure] [--out docs/results]

A site of simulated people per contender; a person of few and one of many rows is erased from a copy of it by command,
beside a running server. Every cell is kept in --runs: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from by_day import days_of, of_days, write_log
from common import ROOT, SMALL_BASE, machine_words, typed
from kept import once
from week import CODES, Server, Story

from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE, load_key
from regraft.files import write_text
from regraft.metrics.intervals import Bootstrap, bootstrap
from regraft.privacy.forget import foresee
from regraft.release.journal import FOLDER as LOGS
from regraft.setup.site import DAY, Site, days_cuts
from regraft.setup.site_options import FILE
from regraft.state import vault, versions
from regraft.state.database import transaction
from regraft.workbench import Workbench

CONTENDERS = ("stack", "fine-tune", "replay", "lsat-merge", "analytic")
PEOPLE = {"few": 0.05, "many": 1.0}  # places in the order of people by rows
WORLD = DriftWorld(users=300, items=60, periods=15, seed=2, visits=0.3, taste_change_at=None)
FIRST, HELD = 12, 2  # days that a site is made from, and the newest, which nothing learns from
STEPS = {
    "data": "files", "traces": "caches, spool", "served": "another serves", "destroyed": "versions gone",
    "remade": "retraining", "done": "proof",
}  # fmt: skip


class Scores(NamedTuple):
    """What a version says of the held-out rows, in the order of their ids."""

    rows: np.ndarray
    people: np.ndarray
    labels: np.ndarray
    log_odds: np.ndarray

    def drawn(self) -> Bootstrap:
        return bootstrap(self.labels, self.log_odds, self.people, np.zeros(len(self.rows), np.int64))


# -- one cell -----------------------------------------------------------------------------------


def story(folder: Path) -> Story:
    """A site in a folder of its own, with the keys that belong to it."""
    simulated = simulate(WORLD)
    rows = simulated.interactions.drop("line").sort("timestamp")
    os.environ[VARIABLE] = str(folder / "vault.key")  # for what is read here, too
    return Story(folder, rows, simulated.items, days_of(rows), environment=dict(os.environ))


def made(folder: Path, contender: str) -> None:
    """A site whose days but the last two are closed; rows of those are known and nothing has learnt from them.

    It is made by commands: what a version took counts a process that starts cold, as that of the erasure does.
    """
    if (folder / "made").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "shop").mkdir(parents=True)
    told = story(folder)
    options = {"name": "shop", "data": {"label": 'event == "click"', "warm_up": 0.5}, "champion": {"use": contender}}
    (folder / "shop" / FILE).write_text(yaml.safe_dump(options | ({} if contender == "stack" else SMALL_BASE)))
    load_key(folder / "shop", make=True)
    told.regraft("init", told.site, "--from", str(_log(told, told.days[:FIRST])))
    for day in told.days[FIRST:-HELD]:
        _take(told, [day])
        told.regraft("update", told.site, code=set(CODES.values()))
    _take(told, told.days[-HELD:])
    write_text(folder / "made", contender)


def _take(told: Story, days: list[str]) -> None:
    told.regraft("ingest", told.site, str(_log(told, days)))


def _log(told: Story, days: list[str]) -> Path:
    return write_log(told.out / days[0], of_days(told.rows, days), told.items)


def erased(base: Path, folder: Path, place: float) -> dict[str, Any]:
    """Erases the person at this place, from few rows (0) to many (1), from a copy of the site; what that took."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    told = story(folder)
    person = _person(told, place)
    uid = _uid(told, person)
    site = Site.open(Path(told.site))
    foreseen, name = foresee(site, person), _champion(site)
    before = scores(site, name, uid)
    server = Server(told, "--no-erase")
    began = time.perf_counter()
    server("DELETE", f"/users/{person}")
    server("GET", f"/recommend/{person}?n=5", codes=(410,))
    blocked = time.perf_counter() - began
    began, cpu = time.perf_counter(), _cpu()
    done = subprocess.run(
        [sys.executable, "-m", "regraft", "forget", told.site], env=told.environment, capture_output=True, text=True
    )
    seconds, cpu = time.perf_counter() - began, _cpu() - cpu
    assert done.returncode == 0, done.stderr
    followed = server.waits_for(_champion(site))
    server.stop()
    proof = json.loads(next((folder / "shop" / "reports").glob("erasure-*.json")).read_text())["content"]
    with transaction(site.engine) as connection:
        served = [one.version for one in versions.history(connection, "champion")]
        interim = versions.version(connection, served[served.index(name) + 1])
    remade = scores(site, _champion(site), uid)
    return {
        "rows": proof["removed"]["rows"], "files": proof["removed"]["files"], "foreseen_rows": foreseen.rows,
        "destroyed": len(proof["destroyed"]), "retrained": len(proof["retrained"]), "interim": interim.contender,
        "found_afterwards": sum(proof["files_that_still_hold_the_person"].values()),
        "blocked": blocked, "followed": followed, "seconds": seconds, "cpu": cpu, "foreseen": foreseen.seconds,
        "steps": _steps(site), **_quality(before, scores(site, interim.name, uid), remade),
    }  # fmt: skip


def measured(runs: Path, contender: str, person: str) -> dict[str, Any]:
    """One cell: the site of this contender, made where it is not there, and a person erased from a copy of it."""
    began = time.perf_counter()
    made(runs / contender, contender)
    found = erased(runs / contender, runs / "cell", PEOPLE[person])
    print(f"{contender}, {person}: {time.perf_counter() - began:.0f} s", flush=True)
    return found


def _champion(site: Site) -> str:
    with transaction(site.engine) as connection:
        alias = versions.alias(connection, "champion")
    assert alias is not None
    return alias.version


def _cpu() -> float:
    """CPU seconds of the processes that were waited for."""
    taken = os.times()
    return taken.children_user + taken.children_system


def _person(told: Story, place: float) -> str:
    people = of_days(told.rows, told.days[:-HELD])["user_id"].value_counts().sort("count", "user_id")["user_id"]
    return str(people[round(place * (len(people) - 1))])


def _uid(told: Story, person: str) -> str:
    site = Site.open(Path(told.site))
    key = load_key(site.folder)
    with transaction(site.engine) as connection:
        return next(iter(vault.uids(connection, key.pseudonyms([person]), key.id).values()))


def scores(site: Site, name: str, uid: str) -> Scores:
    """What a version says of the newest days, which no version has learnt from; without the person's own rows."""
    with transaction(site.engine) as connection:
        cuts, version = site.closed_cuts(connection), versions.version(connection, name)
    begins = [start for start, _ in cuts.starts]
    later = days_cuts([*begins, *(cuts.end + k * DAY for k in range(HELD))], cuts.end + HELD * DAY)
    bench = Workbench(site, site.stream(later))
    contender = bench.released(version)
    found = []
    for period in range(len(begins) + 1, len(begins) + HELD + 1):
        cases = bench.stream.cases(period)
        people = np.array(cases.user_ids.gather(cases.users).to_list())
        found.append([cases.ids, people, cases.labels, contender.score(cases)])
    columns = [np.concatenate(one) for one in zip(*found, strict=True)]
    order = np.argsort(columns[0])
    order = order[columns[1][order] != uid]
    return Scores(*(column[order] for column in columns))


def _quality(before: Scores, interim: Scores, remade: Scores) -> dict[str, Any]:
    """AUC of each, [value, low, high], and remade minus before on the same rows and draws."""
    assert (before.rows == remade.rows).all() and (before.rows == interim.rows).all()
    drawn = {"before": before.drawn(), "interim": interim.drawn(), "remade": remade.drawn()}
    gap = drawn["remade"].minus(drawn["before"], "auc")
    found: dict[str, Any] = {f"auc_{name}": list(one.interval("auc")[:3]) for name, one in drawn.items()}
    return found | {"auc_remade_minus_before": [gap.estimate, gap.low, gap.high], "held_out": len(before.rows)}


def _steps(site: Site) -> dict[str, float]:
    """Seconds of each step, as the site's own log has them."""
    lines = [
        json.loads(line) for path in (site.reports / LOGS).glob("*.jsonl") for line in path.read_text().splitlines()
    ]
    found: dict[str, float] = {}
    for line in lines:
        if line["kind"] == "forget":
            found.setdefault(line["step"], line["seconds"])
    return {step: found[step] for step in STEPS}


# -- the page -----------------------------------------------------------------------------------


def page(cells: dict[tuple[str, str], dict[str, Any]]) -> Iterator[str]:
    yield "# Erasing a person"
    yield f"`{' '.join(['python bench/bench_erasure.py', *typed()])}`"
    yield (
        f"A site of the drift world with {WORLD.users} people, {FIRST} days of log and one update, per contender; language "
        "models are of two layers of width 48, built from two days: what they cost is of interest here, not how good they are. A person of few rows (at 5 % of the people, ordered by rows) and the one of "
        "most rows are erased by `regraft forget` beside a running server. Seconds are wall time; other work ran on the machine."
    )
    yield "## What it takes"
    yield "\n".join(_takes(cells))
    yield (
        "*Refused*: from sending `DELETE /users/{id}` until a request for the person is answered with 410. *Foreseen*: what "
        "`regraft forget --dry-run` says. *Followed*: from the end of the command until the server serves the new version. "
        "The whole is what the command takes as a process of its own, start included. What is foreseen are the seconds that "
        "making the versions took, reading, the base model and judging included, each by a command that started cold; the other "
        "steps and the start of the process come on top, and whatever else the machine does."
    )
    yield "## Where the seconds go"
    yield "\n".join(_where(cells))
    yield "## What is served"
    yield "\n".join(_served(cells))
    rows = next(iter(cells.values()))["held_out"]
    yield (
        f"AUC on about {rows:,} rows of two days that no version has learnt from, without those of the person; 95 % intervals "
        "from 1,000 resamples of people, differences paired. *Interim*: what is served from the moment at which the versions "
        "that saw the person are out of use until they are made again."
    )
    missing = [f"{c} {p}" for c in CONTENDERS for p in PEOPLE if (c, p) not in cells]
    if missing:
        yield f"Not finished: {', '.join(missing)}. The same command goes on with them."
    yield f"Machine: {machine_words()}."


def _takes(cells: dict[tuple[str, str], dict[str, Any]]) -> Iterator[str]:
    yield "| contender | person | rows | files | destroyed | retrained | refused, s | whole, s | CPU s | foreseen, s | whole / foreseen | followed, s | files that still hold them |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for (contender, person), c in cells.items():
        ratio = c["seconds"] / c["foreseen"] if c["foreseen"] else float("nan")
        yield (
            f"| {contender} | {person} | {c['rows']} | {c['files']} | {c['destroyed']} | {c['retrained']} | {c['blocked']:.3f} "
            f"| {c['seconds']:.1f} | {c['cpu']:.1f} | {c['foreseen']:.1f} | {ratio:.2f} | {c['followed']:.1f} | {c['found_afterwards']} |"
        )


def _where(cells: dict[tuple[str, str], dict[str, Any]]) -> Iterator[str]:
    yield "| contender | person | " + " | ".join(STEPS.values()) + " | start of the process |"
    yield "|---|---|" + "--:|" * (len(STEPS) + 1)
    for (contender, person), c in cells.items():
        left = c["seconds"] - sum(c["steps"].values())
        yield f"| {contender} | {person} | " + " | ".join(f"{s:.2f}" for s in (*c["steps"].values(), left)) + " |"


def _served(cells: dict[tuple[str, str], dict[str, Any]]) -> Iterator[str]:
    yield "| contender | person | before | interim | AUC of the interim | made again | made again, minus before |"
    yield "|---|---|--:|---|--:|--:|--:|"
    for (contender, person), c in cells.items():
        found = [_interval(c[f"auc_{name}"]) for name in ("before", "interim", "remade")]
        gap = _interval(c["auc_remade_minus_before"], "+.4f")
        yield f"| {contender} | {person} | {found[0]} | {c['interim']} | {found[1]} | {found[2]} | {gap} |"


def _interval(found: list[float], form: str = ".3f") -> str:
    value, low, high = found
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def write(cells: dict[tuple[str, str], dict[str, Any]], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "erasure.md").write_text("\n\n".join(page(cells)) + "\n", encoding="utf-8")
    flat = [
        {"contender": contender, "person": person}
        | {k: _cell(v) for k, v in c.items() if k != "steps"} | {f"s_{k}": _cell(v) for k, v in c["steps"].items()}
        for (contender, person), c in cells.items()
    ]  # fmt: skip
    with (out / "erasure.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(flat[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(flat)


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(f"{one:.4f}" for one in value)
    return f"{value:.4g}" if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS, help="contenders to run")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "erasure")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    for contender in CONTENDERS:
        for person in PEOPLE:
            kept = options.runs / f"{contender}-{person}.json"
            if kept.is_file() or contender in options.only:
                cells[contender, person] = once(kept, partial(measured, options.runs, contender, person))
    shutil.rmtree(options.runs / "cell", ignore_errors=True)
    write(cells, options.out)


if __name__ == "__main__":
    main()
