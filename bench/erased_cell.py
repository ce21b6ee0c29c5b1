"""A person erased from a site beside a running server: what it takes, where the seconds go, what is served after."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from by_day import days_of, of_days, write_log
from common import SMALL_BASE
from story import CODES, Server, Story

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
