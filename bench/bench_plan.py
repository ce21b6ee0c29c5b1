"""Seconds that the plan of a run predicts beside those that the run takes, on every public log.

python bench/bench_plan.py [--share S] [--only LOG ...] [--out docs/results]

Each log goes the way of a stranger: `regraft arena init`, then `arena run --dry-run --json` and `arena run`, every one
in a process of its own, on a share of the users. The configuration is the one that init writes, with the contenders of
a part of the ladder: the classical rungs, and for one log the lower rungs with a language model too.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from common import ROOT, data_file, machine_words, number, typed

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
WITHIN = 2.0  # predicted / took lies between 1 / 2 and 2


@dataclass(frozen=True)
class Line:
    """What one run was predicted to take and took, in seconds."""

    log: str
    part: str
    share: float
    cells: int
    init: float  # `arena init`, once per log
    planned: float  # `--dry-run` itself
    predicted: float
    took: float

    @property
    def ratio(self) -> float:
        return self.predicted / self.took

    @property
    def holds(self) -> bool:
        return 1 / WITHIN <= self.ratio <= WITHIN


def measured(log: str, share: float, folder: Path) -> list[Line]:
    """The runs of one log."""
    began = time.monotonic()
    regraft("arena", "init", data_file(LOGS[log]), "--out", folder / "arena.yaml", at=folder)
    init = time.monotonic() - began
    written = yaml.safe_load((folder / "arena.yaml").read_text(encoding="utf-8"))
    parts = {"classical": ()} | ({"language": LANGUAGE_USES} if log in LANGUAGE else {})
    return [_run(log, part, uses, written, share, folder, init) for part, uses in parts.items()]


def _run(
    log: str, part: str, uses: tuple[str, ...], written: dict[str, Any], share: float, folder: Path, init: float
) -> Line:
    kept = {*names("baselines"), *uses}
    contenders = [c for c in written["contenders"] if (c if isinstance(c, str) else c["use"]) in kept]
    config = written | {"contenders": contenders, "data": written["data"] | {"share": share}, "name": part}
    path = folder / f"{part}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    began = time.monotonic()
    plan = json.loads(regraft("arena", "run", "-c", path, "--dry-run", "--json", at=folder))
    planned = time.monotonic() - began
    began = time.monotonic()
    regraft("arena", "run", "-c", path, at=folder)
    took = time.monotonic() - began
    line = Line(log, part, share, plan["cells"], init, planned, plan["seconds"], took)
    print(f"{log}, {part}: {line.predicted:.0f} s predicted, {took:.0f} s taken, {line.ratio:.2f}", flush=True)
    return line


def regraft(*words: object, at: Path) -> str:
    """What the command printed; ends the script where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "regraft", *map(str, words)], cwd=at, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"regraft {' '.join(map(str, words))}:\n{done.stderr}")
    return done.stdout


def write(lines: list[Line], out: Path) -> None:
    """bench-plan.csv and bench-plan.md."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [asdict(line) | {"ratio": line.ratio} for line in lines]
    with (out / "bench-plan.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*rows[0], "machine"], lineterminator="\n")
        table.writeheader()
        table.writerows(
            {name: number(v) if isinstance(v, float) else v for name, v in row.items()} | {"machine": machine_words()}
            for row in rows
        )
    missed = [line for line in lines if not line.holds]
    verdict = "All ratios lie" if not missed else f"{len(lines) - len(missed)} of {len(lines)} ratios lie"
    head = "| log | rungs | share of users | cells | init, s | dry run, s | predicted, s | took, s | predicted / took |"
    page = [
        "# Seconds that a plan predicts", "", f"`{' '.join(['python bench/bench_plan.py', *typed()])}`", "",
        f"{verdict} between 1/{WITHIN:g} and {WITHIN:g}.", "", head, "|---|---|--:|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {one.log} | {one.part} | {one.share:g} | {one.cells} | {one.init:.0f} | {one.planned:.0f} "
            f"| {one.predicted:.0f} | {one.took:.0f} | {one.ratio:.2f} |"
            for one in lines
        ),
        "", "## How", "",
        "- Every command is a process of its own: `regraft arena init LOG`, then `arena run --dry-run --json` and "
        "`arena run` with what init wrote, but for the share of the users and the contenders: all classical ones, and "
        f"in the part `language` {', '.join(LANGUAGE_USES)} too, on a nano base that is built in the run.",
        "- `took` is the wall time of `arena run` with its reports, the start of Python included; `init` measures for "
        "the ladder with all its rungs, so it takes longer than the dry run of a part of it.",
        "", f"Machine: {machine_words()}.", "",
    ]  # fmt: skip
    (out / "bench-plan.md").write_text("\n".join(page), encoding="utf-8")
    print("\n".join(page))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--share", type=float, default=0.1, help="of the users")
    parser.add_argument("--only", nargs="+", default=list(LOGS), choices=list(LOGS))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    lines: list[Line] = []
    for log in options.only:
        with tempfile.TemporaryDirectory() as folder:
            lines += measured(log, options.share, Path(folder))
    write(lines, options.out)


if __name__ == "__main__":
    main()
