"""How much history, how often, how much replay: whether the advice is right where the right answer is known, and on a log.

python bench/bench_tune.py [--only PART ...] [--budget SECONDS] [--runs runs/tune] [--out docs/results]

Every part is a run of its own in --runs: the same command goes on where it was stopped, and the page shows what is
finished. MovieLens and Amazon Electronics are read from the data folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from common import ROOT, SMALL_BASE, data_file, machine_words, typed

from regraft.arena.tune import Tuning
from regraft.arena.tune_grid import tuned
from regraft.arena.tune_run import conclude
from regraft.data.build import build_stream
from regraft.data.ingest import ingest
from regraft.data.stream import Stream
from regraft.report.tune_words import sentences
from regraft.setup.config import ArenaConfig

CALM = {
    "users": 160, "items": 100, "periods": 20, "days_per_period": 10.0, "taste_change_at": None, "new_items_at": None,
    "season_every": None, "churn": 0.02,
}  # fmt: skip
GRID = {"share": [0, 1], "every": [1, 4], "days": [30, 90]}
CLASSICAL = ("rates", "popularity")
NANO = ({"use": "analytic", "settings": {"offset": "none"}}, "fine-tune")


@dataclass(frozen=True)
class Log:
    """A real log: all rows of a `share` of its users, and nobody else's."""

    title: str
    file: str
    share: float
    periods: dict[str, Any]
    updates: tuple[int, int]  # the first and the last


ML_1M = Log(
    "ML-1M", "ml-1m.zip", 0.04, {"by": "calendar", "every": "2w", "warm_up": 0.3}, (3, 10)
)  # summer, autumn 2000
ELECTRONICS = Log(
    "Amazon Electronics", "amazon-electronics-2023.interactions.parquet", 0.25,
    {"by": "calendar", "every": "1q", "warm_up": 0.3}, (3, 10),
)  # fmt: skip
LOGS = (ML_1M, ELECTRONICS)


@dataclass(frozen=True, eq=False)
class Part:
    """One run. `expected` was said before it was run; `found`, where that was wrong, after it."""

    name: str
    expected: str
    contenders: tuple[Any, ...] = CLASSICAL
    world: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    log: Log | None = None
    found: str = ""

    @property
    def config(self) -> ArenaConfig:
        data = {
            "drift_world": CALM | self.world, "label": 'event == "click"',
            "periods": {"by": "calendar", "every": "10d", "warm_up": 0.1},
        }  # fmt: skip
        span = {"first_update": 9}
        if self.log:
            data = {"path": str(data_file(self.log.file)), "periods": self.log.periods}
            span = dict(zip(("first_update", "last_update"), self.log.updates, strict=True))
        own = {"name": self.name, "data": data, "contenders": list(self.contenders)}
        own |= {"tune": GRID, "prices": {"update_hour": 1.0}}
        return ArenaConfig.parse(own | span | self.more)

    @property
    def stream(self) -> Stream | None:
        """The rows of the chosen users; None: the simulated log that the configuration names."""
        if self.log is None:
            return None
        config, log = self.config, ingest(data_file(self.log.file))
        mine = chosen(log.interactions["user_id"], self.log.share)
        rows = log.interactions.filter(pl.col("user_id").is_in(mine.implode()))
        return build_stream(rows, log.items, config.data.label, config.data.periods, name=self.name)


def chosen(users: pl.Series, share: float) -> pl.Series:
    """A share of the users, by a hash of their ids."""
    ids = users.unique().sort()
    unit = [int.from_bytes(hashlib.blake2b(str(one).encode(), digest_size=6).digest()) / 2**48 for one in ids]
    return ids.filter(pl.Series(unit) < share)


PARTS = (
    Part("no-drift", "keep all: old rows are as true as new ones; weights on live facts need rare renewal, counts (popularity) frequent"),
    Part("wording-turns", "keep little: what people think of words turned three periods before the first tested one",
         world={"words": 1.5, "taste_change_at": 7, "changed_share": 0.0}),
    Part("taste-turns", "no more history than after the turn helps, and what people share (items' quality) did not turn",
         world={"taste_change_at": 7, "changed_share": 1.0}),
    Part("items-come-and-go", "renew counts often, thirty days are enough: an item is on the shelf for fifteen",
         world={"shelf_life": 1.5, "from_start": 0.1, "items": 250}),
    Part("season", "keep more than a season: what returns every fourth period is not in the last thirty days",
         world={"season_every": 4}),
    Part("wording-turns-nano", "replay little and keep little: old examples carry the wording that turned",
         ("replay", {"use": "analytic", "settings": {"offset": "none"}}),
         {"words": 1.5, "taste_change_at": 7, "changed_share": 0.0, "users": 100, "items": 80},
         SMALL_BASE | {"tune": GRID | {"days": [60]}},
         found="the expectation was wrong: whoever kept all and replayed one old example per new one was best in both "
               "halves, and keeping sixty days cost most. Perhaps a small model of a hundred people is short of examples sooner "
               "than it is misled by old ones"),
    Part("ml-1m", "not known", ("rates", "stack"), log=ML_1M),
    Part("ml-1m-nano", "not known", NANO, more=SMALL_BASE | {"tune": GRID | {"days": [90]}}, log=ML_1M),
    Part("electronics", "not known", ("rates", "stack"), more={"tune": GRID | {"days": [180, 365]}}, log=ELECTRONICS),
    Part("electronics-nano", "not known", NANO, more=SMALL_BASE | {"tune": GRID | {"days": [365], "every": [1, 3]}},
         log=ELECTRONICS),
)  # fmt: skip


def opened(part: Part, runs: Path) -> Tuning:
    return Tuning(tuned(part.config), runs / part.name, part.stream)


def run(part: Part, runs: Path, budget: float | None) -> None:
    """Runs what is missing of a part, and writes its files where a setting is whole."""
    tuning = opened(part, runs)
    print(
        part.name, tuning.stream.describe(), f"{len(tuning.settings)} settings, {len(tuning.cells())} cells", flush=True
    )
    for cell, renewal in tuning.run(budget):
        if renewal is not None:
            print(f"  {cell}: {renewal.cost.cpu_seconds:.2f} CPU s", flush=True)
    conclude(tuning)


def section(part: Part, found: dict[str, Any]) -> Iterator[str]:
    yield f"## {part.name}"
    yield f"Expected before it was run: {part.expected}." + (f" Measured: {part.found}." if part.found else "")
    yield f"{found['stream']['describe']}. Chosen on periods {_span(found['chosen_on'])}, checked on {_span(found['checked_on'])}, {found['period_days']:.3g} days each."
    yield "\n".join(f"- {line}" for line in sentences(found))
    head = "| contender | days | every | share | AUC | earlier, minus best | later, minus best | forgetting | s per period | people exposed |"
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    yield "\n".join(lines + [line for advice in found["advice"] for line in _rows(advice, found)])


def _rows(advice: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    own = [s for s in found["settings"] if s["contender"] == advice["contender"]]
    for row, earlier, later in zip(own, *advice["against_best"].values(), strict=True):
        advised = all(row[k] == advice["advised"][k] for k in ("days", "every", "share"))
        name = f"**{row['contender']}**" if advised else row["contender"]
        cells = [
            name, row["days"], row["every"], "" if row["share"] is None else f"{row['share']:g}",
            f"{row['auc']['all']['estimate']:.4f}", _gap(earlier["gap"]), _gap(later["gap"]), _gap(row["forgetting"]),
            f"{row['seconds_per_period']:.3g}", f"{row['persons_exposed']:,}",
        ]  # fmt: skip
        yield "| " + " | ".join(map(str, cells)) + " |"


def _gap(gap: dict[str, Any]) -> str:
    if gap["estimate"] is None:
        return ""
    bounds = "" if gap["low"] is None else f" [{gap['low']:+.4f}, {gap['high']:+.4f}]"
    return f"{gap['estimate']:+.4f}{bounds}"


def _span(periods: list[int]) -> str:
    return f"{periods[0]} to {periods[-1]}"


def _shares() -> str:
    return ", ".join(f"{log.title} {log.share:.0%}" for log in LOGS)


def write(runs: Path, out: Path) -> None:
    """The page and the table of all parts that are whole."""
    found = {
        p: json.loads((runs / p.name / "tune.json").read_text())
        for p in PARTS
        if (runs / p.name / "tune.json").is_file()
    }
    held = [
        [p.name, a["contender"], a["told_apart"], a["held"], a["advised"]]
        for p, one in found.items()
        for a in one["advice"]
    ]
    lines = ["| part | contender | advice | told apart | held on later periods |", "|---|---|---|---|---|"]
    for name, contender, told, kept, a in held:
        share = "" if a["share"] is None else f", replay {a['share']:g}"
        lines.append(
            f"| {name} | {contender} | {a['days']} days, every {a['every']}{share} | {'yes' if told else 'no'} | {kept} |"
        )
    how = [kept for *_, kept, _ in held]
    counted = ", ".join(f"{how.count(word)} {word}" for word in ("yes", "undecided", "no"))
    page = [
        "# Tuning", f"`{' '.join(['python bench/bench_tune.py', *typed()])}`",
        "What `regraft tune` advises, chosen on earlier periods and checked on later ones. In the drift worlds what drifts is known. "
        f"Of real logs a share of the users is read with all of their rows, and nobody else's: {_shares()}. "
        "95 % intervals from 1,000 resamples of people; the advised setting is bold. Seconds are CPU seconds of renewal; other work ran on the machine.",
        "\n".join(lines),
        f"Held on later periods, against the setting that turned out best there: {counted}. A world that turned a while ago is "
        "another world later: after a turn the short history that was right at first is too short some periods on, and small "
        "worlds (160 people) leave much undecided. Tune again when the stream has moved on.",
        *(text for part, one in found.items() for text in section(part, one)), f"Machine: {machine_words()}.",
    ]  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    (out / "tune.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    tables = [pl.read_csv(runs / p.name / "tune.csv").select(pl.lit(p.name).alias("part"), pl.all()) for p in found]
    floats = pl.selectors.float()
    pl.concat(tables, how="diagonal_relaxed").with_columns(floats.round_sig_figs(6)).write_csv(out / "tune.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=None, help="parts to run; the page shows all that are whole")
    parser.add_argument("--budget", type=float, default=None, help="seconds after which a part begins no new cell")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "tune")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    for part in PARTS:
        if options.only is None or part.name in options.only:
            run(part, options.runs, options.budget)
    write(options.runs, options.out)


if __name__ == "__main__":
    main()
