"""What an erasure takes, step by step, and what is served meanwhile and afterwards, per contender.

python bench/bench_erasure.py [--only CONTENDER ...] [--runs runs/erasure] [--out docs/results]

A site of simulated people per contender; a person of few and one of many rows is erased from a copy of it by command,
beside a running server. Every cell is kept in --runs: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from common import ROOT, machine_words, typed, write_table
from erased_cell import FIRST, PEOPLE, STEPS, WORLD, measured
from kept import once

CONTENDERS = ("stack", "fine-tune", "replay", "lsat-merge", "analytic")


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
    write_table(out / "erasure.csv", flat)


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
