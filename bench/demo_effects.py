"""What the demo shows: who falls at the change of taste, who recovers, and who judges items without earlier rows.

python bench/demo_effects.py [demo/run-en] [--out docs/results]

Reads the folder of a finished demo (or of any run on a drift world with one period a day) and prints differences of
AUC, paired by user: never before and after the change; renewed contenders minus never in every period from the change
on; contenders with content or a language model minus counts, on rows whose item had no row before. With --out it
writes demo.md there as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from regraft.data.drift_world_settings import START
from regraft.data.source import open_stream
from regraft.metrics.intervals import Resampler, WeightedAuc
from regraft.report.results import Results
from regraft.setup.config import ArenaConfig

COUNTS = ("popularity", "rates", "item-knn")  # what knows an item by its own rows alone
UPDATES_NOTHING = "never"
DRAWS = 1000


@dataclass(frozen=True)
class Drawn:
    """AUC of every contender in every period, on all users and on resamples of them."""

    periods: list[int]
    rows: list[int]  # per period
    auc: dict[str, np.ndarray]  # per contender [1 + draws, periods]; the first line is on all users

    def mean(self, contender: str, periods: Sequence[int]) -> np.ndarray:
        """Mean over periods per draw; a period that lacks a class in a draw is left out of it."""
        at = [self.periods.index(p) for p in periods]
        return np.asarray(np.nanmean(self.auc[contender][:, at], axis=1))


def drawn(scores: pl.DataFrame, contenders: Sequence[str], seed: int = 0) -> Drawn:
    """`scores` are prequential rows of one seed: contender, case, period, user, label, score."""
    auc: dict[str, np.ndarray] = {}
    periods: list[int] = []
    rows: list[int] = []
    for name in contenders:
        mine = scores.filter(pl.col("contender") == name).sort("case")
        number, code = np.unique(mine["period"].to_numpy(), return_inverse=True)
        resampler = Resampler(mine["user"].to_numpy(), DRAWS, seed)  # the same rows and seed: the same draws
        liked = mine["label"].to_numpy().astype(bool)
        scorer = WeightedAuc(liked, mine["score"].to_numpy(), resampler.codes, code)
        weights = [np.ones((1, resampler.n_users)), *resampler.batches()]
        auc[name] = np.array([scorer(weight) for batch in weights for weight in batch])
        periods, rows = number.tolist(), np.bincount(code).tolist()
    return Drawn(periods, rows, auc)


def told(draws: np.ndarray) -> str:
    """Estimate and 95 % interval; a star where it leaves zero out."""
    low, high = np.nanquantile(draws[1:], [0.025, 0.975])
    return f"{draws[0]:+.4f} [{low:+.4f}, {high:+.4f}]{' *' if low > 0 or high < 0 else ''}"


def change_period(results: Results) -> int:
    """The period of the run in which the world changes its taste."""
    data = results.run["config"]["data"]
    first_day = (date.fromisoformat(str(data["periods"]["start"])[:10]) - date.fromtimestamp(START / 1000)).days
    return int(data["drift_world"]["taste_change_at"]) - first_day


def without_earlier_rows(results: Results) -> np.ndarray:
    """Cases whose item has no earlier row in the log."""
    item = pl.Series(open_stream(ArenaConfig.parse(results.run["config"]).data).item)
    return np.flatnonzero(item.is_first_distinct().to_numpy())


def the_change(results: Results, found: Drawn, change: int) -> list[str]:
    """Never before and after; then renewed minus never, period by period."""
    before = [p for p in found.periods if p < change]
    later = [p for p in found.periods if p >= change]
    recovered = later[1:] or later
    renewed = [n for n, kind in results.kinds.items() if kind == "strategy" and results.uses[n] != UPDATES_NOTHING]
    lines = [f"## A change of taste in period {change} ({sum(found.rows):,} rows)", ""]
    if before:
        lines += ["| contender | AUC before | from the change on | fall |", "|---|--:|--:|---|"]
        for name in [UPDATES_NOTHING, *renewed]:
            was, now = found.mean(name, before), found.mean(name, later)
            lines.append(f"| {name} | {was[0]:.4f} | {now[0]:.4f} | {told(now - was)} |")
        lines.append("")
    lines += [
        "AUC minus that of never, paired by user. The period of the change itself is the first one with new labels:",
        "whoever is renewed learns from it for the next.",
        "",
        "| contender | " + " | ".join(f"period {p}" for p in later) + f" | mean of {recovered} |",
        "|---|" + "---|" * (len(later) + 1),
    ]
    for name in renewed:
        gaps = [found.mean(name, [p]) - found.mean(UPDATES_NOTHING, [p]) for p in later]
        gaps.append(found.mean(name, recovered) - found.mean(UPDATES_NOTHING, recovered))
        lines.append(f"| {name} | " + " | ".join(map(told, gaps)) + " |")
    return lines


def spans(found: Drawn, change: int) -> dict[str, list[int]]:
    """The tested periods before the change, that of the change, and those after it."""
    parts = {
        "before the change": [p for p in found.periods if p < change],
        "in the period of the change": [p for p in found.periods if p == change],
        "after the change": [p for p in found.periods if p > change],
    }
    return {name: periods for name, periods in parts.items() if periods}


def above(found: Drawn, periods: Sequence[int], others: Sequence[str], references: Sequence[str]) -> list[str]:
    """AUC of `others` minus that of each reference, mean over the periods."""
    lines = [
        "| contender | AUC | " + " | ".join(f"minus {name}" for name in references) + " |",
        "|---|--:|" + "---|" * len(references),
    ]
    for name in [*references, *others]:
        mine = found.mean(name, periods)
        gaps = ["" if r == name else told(mine - found.mean(r, periods)) for r in references]
        lines.append(f"| {name} | {mine[0]:.4f} | " + " | ".join(gaps) + " |")
    return lines


def effects(results: Results) -> str:
    """All tables, as Markdown."""
    names = list(results.kinds)
    scores = results.headline.filter(pl.col("seed") == results.run["seeds"][0])
    every, change = drawn(scores, names), change_period(results)
    lines = the_change(results, every, change)
    counts = [n for n in names if results.uses[n] in COUNTS]
    first = scores.filter(pl.col("case").is_in(without_earlier_rows(results)))
    blind = drawn(first, names)
    for title, found, references in (
        ("Items without an earlier row", blind, counts),
        ("On top of the stack, all rows", every, [n for n in names if results.uses[n] == "stack"]),
    ):
        for span, periods in spans(found, change).items():
            rows = sum(found.rows[found.periods.index(p)] for p in periods)
            lines += ["", f"## {title}, {span}: mean over periods {periods}, {rows:,} rows", ""]
            lines += above(found, periods, [n for n in names if n not in references], references)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("demo/run-en"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results = Results.load(given.folder)
    found = effects(results)
    print(found, end="")
    if given.out:
        users, machine = results.headline["user"].n_unique(), results.run["machine"]
        head = (
            "# What the demo shows\n\n`make demo`, then `python bench/demo_effects.py demo/run-en --out docs/results`\n\n"
            f"One seed, {users:,} users of a simulated log. Machine: {machine['cpu']}, {machine['cores']} cores. AUC is the mean over "
            f"periods; intervals are 95 %, from {DRAWS:,} resamples of users; a star: zero lies outside.\n\n"
        )
        (given.out / "demo.md").write_text(head + found, encoding="utf-8")


if __name__ == "__main__":
    main()
