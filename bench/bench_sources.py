"""What each source of candidates finds: recall of later likes, of new items, and its part in the lists that are served.

python bench/bench_sources.py [--quick] [--log ml-1m.zip] [--label "rating > 3"] [--share 1.0] [--days 7] [--out docs/results]

Without --log a drift world, whose items are released day by day.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import Page, Row, arguments, data_file, gemm_probe, write

from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.history import Request
from regraft.data.ingest import ingest
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.plugins import names, plugin_class
from regraft.prompts.live import Live
from regraft.serving.candidates.protocol import Snapshot
from regraft.serving.ranking import CANDIDATES, in_turn
from regraft.strategies.contender import new_contender

TOP = 10  # items of a list
EACH = 50  # items among which a source is looked at alone


@dataclass
class Found:
    """Sums over requests: one per user and day on which they liked something that was new to them."""

    requests: int = 0
    fresh: int = 0  # of these, such that liked an item released on the day
    chance: dict[str, float] = field(default_factory=dict)  # what as many items, drawn at random, would hold
    recall: dict[str, float] = field(default_factory=dict)
    fresh_recall: dict[str, float] = field(default_factory=dict)
    overlap: dict[str, float] = field(default_factory=dict)

    def add(self, proposed: Mapping[str, list[str]], wanted: set[str], fresh: set[str], offered: int) -> None:
        parts = {name: items[:EACH] for name, items in proposed.items()}
        parts["all"] = in_turn(proposed.values(), CANDIDATES)
        for left_out in proposed:
            others = (items for name, items in proposed.items() if name != left_out)
            parts[f"all but {left_out}"] = in_turn(others, CANDIDATES)
        self.requests += 1
        self.fresh += bool(fresh)
        for name, items in parts.items():
            self.chance[name] = self.chance.get(name, 0.0) + min(1.0, len(set(items)) / offered)
            self.recall[name] = self.recall.get(name, 0.0) + len(wanted & set(items)) / len(wanted)
            if fresh:
                part = len(fresh & set(items)) / len(fresh)
                self.fresh_recall[name] = self.fresh_recall.get(name, 0.0) + part

    def served(self, proposed: Mapping[str, list[str]], best: Iterable[str]) -> None:
        """Which share of the ten best items each source had proposed among its first."""
        top = set(best)
        for name, items in proposed.items():
            self.overlap[name] = self.overlap.get(name, 0.0) + len(top & set(items[:EACH])) / len(top)


def day(stream: Stream, period: int, catalogue: pl.DataFrame, found: Found, asked: int, seed: int) -> None:
    """One day: the sources know the log before it, and the items that were on offer on it."""
    past, regime = stream.until(period), Regime("fresh")
    snapshot = Snapshot(past, catalogue)
    sources: dict[str, Any] = {name: plugin_class("candidates", name)(snapshot) for name in names("candidates")}
    ranker = new_contender("baseline", "stack", {}, regime)
    ranker.renew(past)
    live = Live(past, catalogue, regime, "period", "tfidf", 40)
    rows = np.flatnonzero((stream.period == period) & stream.happened & (stream.label > 0))
    old = set(past.items["item_id"].gather(np.unique(past.item)).to_list())
    ids, offered = stream.items["item_id"].to_list(), set(catalogue["item_id"])
    users = np.unique(stream.user[rows])
    chosen = np.random.default_rng([seed, period]).permutation(users)[:asked]
    for user in sorted(chosen.tolist()):
        name = stream.user_ids[user]
        known = live.seen(name)
        wanted = {ids[item] for item in stream.item[rows[stream.user[rows] == user]]} - known
        if not wanted:
            continue
        history = live.history(name)
        proposed = {n: within(s.of(history, CANDIDATES + len(known)), known, offered) for n, s in sources.items()}
        found.add(proposed, wanted, wanted - old, len(offered - known))
        pool = in_turn(proposed.values(), CANDIDATES)
        request: Request = live.request(name, pool, live.now + 1)
        best = np.argsort(-np.asarray(ranker.score_request(request)), kind="stable")[:TOP]
        found.served(proposed, (pool[place] for place in best))


def within(items: Iterable[str], known: set[str], offered: set[str]) -> list[str]:
    """At most CANDIDATES items on offer that the person does not know."""
    return list(islice((item for item in items if item not in known and item in offered), CANDIDATES))


def released(interactions: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """The items in the order in which they were first seen, with the day of it."""
    first = interactions.group_by("item_id").agg(day=pl.col("timestamp").min().dt.date())
    return items.join(first, on="item_id").sort("day", "item_id")


def log(options: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame, str, str]:
    """(interactions, items, label rule, what it is)."""
    if options.log is None:
        size = {"users": 150, "items": 300} if options.quick else {"users": 2000, "items": 2000}
        world = simulate(DriftWorld(**size, periods=12 if options.quick else 28, seed=0))
        what = f"a drift world of {size['users']:,} users and {size['items']:,} items"
        return world.interactions, world.items, 'event == "click"', what
    path = Path(options.log)
    read = ingest(path if path.exists() else data_file(options.log))
    people = read.interactions["user_id"].unique().sort()
    chosen = people.sample(fraction=options.share, seed=0)
    rows = read.interactions.filter(pl.col("user_id").is_in(chosen.implode()))
    return rows, read.items, options.label, f"{path.name}, {len(chosen):,} users"


def measured(found: Found) -> list[Row]:
    """One row per source and question; `theirs` is what as many items drawn at random would give."""
    n = found.requests
    chance = {name: total / n for name, total in found.chance.items()}
    rows = [
        Row(f"recall of {'all sources together' if name == 'all' else name}", "items at random", total / n, chance[name], n,
            more_is_better=True, exact=True)
        for name, total in found.recall.items()
    ]  # fmt: skip
    rows += [
        Row(f"recall of items released on the day, {name}", "items at random", total / found.fresh, chance[name], found.fresh,
            more_is_better=True, exact=True)
        for name, total in found.fresh_recall.items() if not name.startswith("all but")
    ]  # fmt: skip
    rows += [
        Row(f"overlap@{TOP} of {name} with the list that is served", "items at random", total / n, chance[name], n,
            more_is_better=True, exact=True)
        for name, total in found.overlap.items()
    ]  # fmt: skip
    return rows


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--log", default=None, help="a log that regraft reads; without one a drift world")
    parser.add_argument("--label", default="rating > 3", help="label rule of --log")
    parser.add_argument("--share", type=float, default=1.0, help="of the people of --log")
    parser.add_argument("--days", type=int, default=7, help="newest days that are asked about")
    parser.add_argument("--people", type=int, default=200, help="asked on each day")
    options = parser.parse_args()
    interactions, items, label, what = log(options)
    catalogue = released(interactions, items)
    stream = build_stream(interactions, items, label, Periods(by="calendar", every="1d"), name="sources")
    days = stream.n_periods if not options.quick else min(stream.n_periods, 2)
    before, found = gemm_probe(), Found()
    for period in range(stream.n_periods - min(options.days, days) + 1, stream.n_periods + 1):
        end = pl.from_epoch(pl.Series([stream.cuts[period] - 1]), "ms").dt.date()[0]
        on_offer = catalogue.filter(pl.col("day") <= end).drop("day")
        day(stream, period, on_offer, found, 30 if options.quick else options.people, 0)
        print(f"day {period} of {stream.n_periods}: {found.requests:,} requests", flush=True)
    page = Page(
        name="bench-sources",
        title="What each source of candidates finds",
        what=f"Likes of the newest {min(options.days, days)} days of {what}: the share of the items that a person liked on a day, and did not know "
        f"before, which a source proposes among its {EACH}, and all sources in turn among {CANDIDATES}, as they are served. `theirs` is what as many items, drawn at random from those on offer, would give.",
        how=[
            "Sources and facts know the log before the day; a source is asked as a server asks it. `all but X` shows what is lost without X.",
            f"overlap@{TOP}: which share of the {TOP} best of the {CANDIDATES}, as `stack` orders them, stands among the {EACH} of the source.",
        ],
        caveats=[
            "People liked what this log's own shop showed them, and a source that proposes something else finds less here than it would in service.",
            "An item counts as on offer from the day on which it was first seen, which a shop knows in the morning and a log in the evening.",
        ],
        quick=options.quick,
    )
    write(page, measured(found), (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
