"""Seconds that the plan of a run predicts beside those that the run takes, on every public log.

python bench/bench_plan.py [--share S] [--only LOG ...] [--out docs/results]

Each log goes the way of a stranger: the configuration that `regraft arena init` writes, then `arena run --dry-run
--json` and `arena run`, each in a process of its own, on a share of the users. Of the contenders it has those of a part
of the ladder: the classical rungs, and for one log the lower rungs with a language model too.

Predicted and taken are CPU seconds of one thread: wall seconds of two runs beside other work cannot be compared. The
commands that predict read the processor's clock in the place of the wall clock, and do nothing else differently. Lines
of logs that are not measured again stay in the table.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from common import ROOT, data_file, machine_words, number, write_table

from regraft.arena.starter import Draft
from regraft.data.ingest import ingest
from regraft.plugins import names

LOGS = {
    "ml-100k": "ml-100k.zip",
    "ml-1m": "ml-1m.zip",
    "electronics": "amazon-electronics-2023.interactions.parquet",
    "beauty": "amazon-2014-beauty.interactions.parquet",
    "books": "amazon-2014-books.interactions.parquet",
    "complete-journey": "complete-journey-2017.interactions.parquet",
}
LANGUAGE = ("ml-100k",)  # logs on which a language model is run too
LANGUAGE_USES = ("never",)  # as it came, and adapted once
# Runs `regraft` with another clock: what it times are then CPU seconds, as they are taken.
ON_CPU = (
    "import runpy, time; time.perf_counter = time.process_time; "
    "runpy.run_module('regraft', run_name='__main__', alter_sys=True)"
)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
WITHIN = 2.0  # predicted / took lies between 1 / 2 and 2


@dataclass(frozen=True)
class Line:
    """What one run was predicted to take and took, in CPU seconds."""

    log: str
    part: str
    share: float
    cells: int
    planned: float  # `--dry-run` itself
    predicted: float
    took: float
    machine: str = ""

    @property
    def ratio(self) -> float:
        return self.predicted / self.took

    @property
    def holds(self) -> bool:
        return 1 / WITHIN <= self.ratio <= WITHIN


def measured(log: str, share: float, folder: Path) -> list[Line]:
    """The runs of one log."""
    path = data_file(LOGS[log])
    Draft.of(folder / "arena.yaml", ingest(path), path).write(share)
    written = yaml.safe_load((folder / "arena.yaml").read_text(encoding="utf-8"))
    parts = {"classical": ()} | ({"language": LANGUAGE_USES} if log in LANGUAGE else {})
    return [_run(log, part, uses, written, share, folder) for part, uses in parts.items()]


def _run(log: str, part: str, uses: tuple[str, ...], written: dict[str, Any], share: float, folder: Path) -> Line:
    kept = {*names("baselines"), *uses}
    contenders = [c for c in written["contenders"] if (c if isinstance(c, str) else c["use"]) in kept]
    config = written | {"contenders": contenders, "name": part}
    path = folder / f"{part}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    told, planned = regraft("arena", "run", "-c", path, "--dry-run", "--json", at=folder)
    plan = json.loads(told)
    print(f"{log}, {part}: {plan['seconds']:.0f} s predicted, in {planned:.0f} s", flush=True)
    _, took = regraft("arena", "run", "-c", path, at=folder)
    line = Line(log, part, share, plan["cells"], planned, plan["seconds"], took, machine_words())
    print(f"{log}, {part}: {line.predicted:.0f} s predicted, {took:.0f} s taken, {line.ratio:.2f}", flush=True)
    return line


def regraft(*words: object, at: Path) -> tuple[str, float]:
    """What the command printed, and the CPU seconds it took; ends the script where it fails."""
    before = _children()
    done = subprocess.run(
        [sys.executable, "-c", ON_CPU, *map(str, words)], cwd=at, capture_output=True, text=True, check=False,
        env=os.environ | ONE_THREAD,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"regraft {' '.join(map(str, words))}:\n{done.stderr}")
    return done.stdout, _children() - before


def _children() -> float:
    """CPU seconds of the processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def before(out: Path) -> list[Line]:
    """The lines of the table that is there."""
    path = out / "bench-plan.csv"
    if not path.is_file():
        return []
    kinds = {f.name: {"str": str, "int": int, "float": float}[str(f.type)] for f in fields(Line)}
    with path.open(newline="", encoding="utf-8") as file:
        return [Line(**{name: kind(row[name]) for name, kind in kinds.items()}) for row in csv.DictReader(file)]


def write(lines: list[Line], out: Path) -> None:
    """bench-plan.csv and bench-plan.md."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [asdict(line) | {"ratio": line.ratio} for line in lines]
    table = [{name: number(v) if isinstance(v, float) else v for name, v in row.items()} for row in rows]
    write_table(out / "bench-plan.csv", table)
    missed = [line for line in lines if not line.holds]
    verdict = "All ratios lie" if not missed else f"{len(lines) - len(missed)} of {len(lines)} ratios lie"
    head = "| log | rungs | share of users | cells | dry run, s | predicted, s | took, s | predicted / took |"
    page = [
        "# Seconds that a plan predicts", "", "`python bench/bench_plan.py --only LOG --share S`, log by log.", "",
        f"{verdict} between 1/{WITHIN:g} and {WITHIN:g}.", "", head, "|---|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {one.log} | {one.part} | {one.share:g} | {one.cells} | {one.planned:.0f} "
            f"| {one.predicted:.0f} | {one.took:.0f} | {one.ratio:.2f} |"
            for one in lines
        ),
        "", "## How", "",
        "- `arena run --dry-run --json` and `arena run`, a process each, with the configuration that `arena init` writes, "
        "but for the share of the users and the contenders: all classical ones, and "
        f"in the part `language` {', '.join(LANGUAGE_USES)} too, on a nano base that is built in the run.",
        "- All are CPU seconds of one thread, user and system, so that other work beside does not count; the clock of the "
        "plan is the processor's here and the wall's in use. Both have the start of Python in them, the runs their reports too; the whole log is read and has its facts "
        "worked out, whatever the share.",
        "", f"Machine: {'; '.join(sorted({line.machine for line in lines}))}.", "",
    ]  # fmt: skip
    (out / "bench-plan.md").write_text("\n".join(page), encoding="utf-8")
    print("\n".join(page))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--share", type=float, default=0.1, help="of the users")
    parser.add_argument("--only", nargs="+", default=list(LOGS), choices=list(LOGS))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    for log in options.only:
        with tempfile.TemporaryDirectory() as folder:
            found = measured(log, options.share, Path(folder))
        lines = [line for line in before(options.out) if line.log != log] + found
        write(sorted(lines, key=lambda line: list(LOGS).index(line.log)), options.out)


if __name__ == "__main__":
    main()
