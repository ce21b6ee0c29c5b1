"""How often the statistics of a pilot are right: peeked at daily, in simulated users and in the closed-loop drift world.

python bench/bench_pilot.py [--quick] [--runs runs/pilot] [--out docs/results]

What was counted is kept in --runs, in blocks of seeds: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from common import ROOT
from kept import once
from pilot_world import BEFORE, BY_ITSELF, SCENARIOS, WEEKS, WINDOW, WORLD, joined, past, people, pilot
from rates import Row, markdown, write_csv

from regraft.data.drift_world_settings import DAY
from regraft.files import write_text
from regraft.pilot.analyse import analyse, over_time
from regraft.pilot.power import design
from regraft.pilot.sample_ratio import sample_ratio
from regraft.pilot.settings import Plan
from regraft.pilot.verdict import verdict

USERS, DAYS = 4000, 21  # of a simulated pilot, and in how many days they enter
METRICS, SEGMENTS = ("visits", "ctr"), ("a", "b", "c")
LIFT = {"visits": 0.3, "ctr": 0.01}  # of the known lift: 4 visits become 4.3, a click rate of 0.2 becomes 0.21
LIFTED = 300  # seeds for which the known lift is tried, too
SIZES = (2_000, 10_000, 50_000)  # users of a pilot whose assignment is broken
BROKEN = 0.53  # share of the treatment, where it should be half
MINIMUM_LIFT, MARGIN = 0.08, 0.07  # of ctr and of active_days, in the drift world
Counts = dict[str, list[int]]  # name: [found, n]


# -- simulated users: the truth is known to every digit -------------------------------------------------


def users(seed: int, visits: float = 0.0, clicks: float = 0.0) -> pl.DataFrame:
    """Visits: negative binomial, three in ten without a number from before; click rates differ between users."""
    rng = np.random.default_rng([seed, 3])
    treated = rng.random(USERS) < 0.5
    pace, lean = rng.gamma(2.0, 2.0, USERS), rng.beta(8, 32, USERS)
    shown = rng.poisson(6.0 * (pace + 1))
    before = rng.poisson(pace).astype(np.float64)
    return pl.DataFrame(
        {
            "uid": np.arange(USERS).astype(str),
            "arm": np.where(treated, "treatment", "control"),
            "entered": np.sort(rng.integers(0, DAYS * DAY, USERS)),
            "segment": rng.choice(SEGMENTS, USERS),
            "visits": rng.poisson(pace + visits * treated).astype(np.float64),
            "visits_before": pl.Series(np.where(rng.random(USERS) < 0.3, np.nan, before)).fill_nan(None),
            "ctr_num": rng.binomial(shown, np.minimum(lean + clicks * treated, 1.0)).astype(np.float64),
            "ctr_den": shown.astype(np.float64),
            "ctr_before": rng.binomial(30, lean) / 30,
        }
    )


def peeked(seed: int) -> Counts:
    """[found, 1] per metric: false alarms of an A/A pilot that is looked at every day; of some, bounds that miss a lift."""
    plan = Plan(primary="visits", others=("ctr",), minimum_lift=0.05, n=USERS // 2, weeks=DAYS // 7)
    same, better = users(seed), users(seed, LIFT["visits"], LIFT["ctr"])
    found: Counts = {}
    for metric in METRICS:
        days = over_time(same, plan, metric).drop_nans("low")
        found[f"alarm {metric}"] = [_outside(days, "", 0.0), 1]
        found[f"fixed {metric}"] = [_outside(days, "fixed_", 0.0), 1]
        if seed >= LIFTED:
            continue
        days = over_time(better, plan, metric).drop_nans("low")
        found[f"covers {metric}"] = [1 - _outside(days, "", LIFT[metric]), 1]
        found[f"sees {metric}"] = [int((days["low"] > 0).any()), 1]
    looks = [analyse(_ended(same, day), plan.model_copy(update={"segments": SEGMENTS})) for day in (14, 21, 28)]
    family = [e for look in looks for e in look.effects if e.role == "other" or e.segment]
    found["alarm in a family"] = [int(any(e.adjusted <= plan.alpha for e in family)), 1]
    found["bare in a family"] = [int(any((e.fixed_low > 0) | (e.fixed_high < 0) for e in family)), 1]
    return found


def _ended(frame: pl.DataFrame, day: int) -> pl.DataFrame:
    return frame.filter(pl.col("entered") + WINDOW < day * DAY)


def _outside(days: pl.DataFrame, kind: str, truth: float) -> int:
    """1 where the interval of any day leaves out the truth."""
    return int(((days[f"{kind}low"] > truth) | (days[f"{kind}high"] < truth)).any())


def split(seed: int) -> Counts:
    """[found, 1]: mismatches found after 1 % more users each, in fair assignments and in broken ones."""
    rng, found = np.random.default_rng([seed, 4]), {}
    for name, share in (("fair", 0.5), ("broken", BROKEN)):
        treated = np.cumsum(rng.random(max(SIZES)) < share)
        alarms = [sample_ratio(n - int(treated[n - 1]), int(treated[n - 1])).mismatch for n in _looks()]
        for size in SIZES:
            found[f"{name} {size}"] = [int(any(a for a, n in zip(alarms, _looks(), strict=True) if n <= size)), 1]
    return found


def _looks() -> list[int]:
    return np.unique(np.geomspace(100, max(SIZES), 600).astype(int)).tolist()


# -- the closed-loop drift world: a plan from the past, a pilot, the first verdict that decides ------------


def closed_loop(seed: int) -> Counts:
    """[found, 1] per scenario and decision."""
    loop, policy, days = past(seed)
    opened = (BY_ITSELF + 7) * DAY
    planned = design(
        people(joined(days[7:]), opened, opened + WEEKS * WINDOW, joined(days[:7])), "ctr", MINIMUM_LIFT,
        weeks=WEEKS, guardrails={"active_days": MARGIN},
    )  # fmt: skip
    plan = Plan(
        primary="ctr", guardrails={"active_days": MARGIN}, minimum_lift=MINIMUM_LIFT, n=planned.n, weeks=planned.weeks
    )
    found = {"reached": [int(planned.reached), 1]}
    for scenario in SCENARIOS:
        decision = decided(pilot(loop, policy, days, scenario, seed), plan)
        found |= {f"{scenario}: {one}": [int(decision == one), 1] for one in ("roll-out", "extend", "stop")}
    return found


def decided(frame: pl.DataFrame, plan: Plan) -> str:
    """The first decision other than `extend` of one who asks every day; the last one where there is none."""
    ends, decision = frame["entered"] + WINDOW, "extend"
    for day in np.unique(ends.to_numpy() // DAY + 1) * DAY:
        decision = verdict(analyse(frame.filter(ends < day), plan)).decision
        if decision != "extend":
            break
    return decision


# -- the page -------------------------------------------------------------------------------------------

PARTS: dict[str, tuple[Callable[[int], Counts], int, int]] = {  # what is counted, seeds, seeds in a block
    "peeked": (peeked, 1000, 20),
    "split": (split, 1000, 200),
    "loop": (closed_loop, 200, 5),
}


def counted(runs: Path, quick: bool) -> dict[str, Counter[str]]:
    """Sums over seeds: PART -> counts under `NAME` and `NAME n`. Blocks that lie in the folder are not run again."""
    totals: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for part, (run, seeds, block) in PARTS.items():
        for first in range(0, min(seeds, block) if quick else seeds, block):
            seeds_of_block = range(first, first + block)
            totals[part].update(once(runs / f"{part}-{first}.json", partial(_summed, run, seeds_of_block)))
            print(f"{part}, seeds {first} to {first + block - 1}: done", flush=True)
    return totals


def _summed(run: Callable[[int], Counts], seeds: range) -> Counter[str]:
    sums: Counter[str] = Counter()
    for seed in seeds:
        for name, (found, n) in run(seed).items():
            sums.update({name: found, f"{name} n": n})
    return sums


def rows_of(totals: dict[str, Counter[str]]) -> list[Row]:
    def row(part: str, measure: str, name: str, target: float | None = None, at_most: bool = False) -> Row:
        return Row(measure, totals[part][name], totals[part][f"{name} n"], target, at_most)

    peeks, ratio, loop = (partial(row, part) for part in PARTS)
    named = {"visits": "visits per user", "ctr": "click rate (ratio)"}
    return [
        *(peeks(f"A/A, daily peeks, {said}: false alarm", f"alarm {m}", 0.05, True) for m, said in named.items()),
        *(peeks(f"the same by fixed-n intervals, {said}", f"fixed {m}") for m, said in named.items()),
        peeks("A/A, one other metric and three segments, weekly: any corrected alarm", "alarm in a family", 0.05, True),
        peeks("the same by fixed-n intervals, not corrected", "bare in a family"),
        *(peeks(f"known lift, {said}: inside on every day", f"covers {m}", 0.95) for m, said in named.items()),
        *(peeks(f"known lift, {said}: seen by the last day", f"sees {m}") for m, said in named.items()),
        ratio(f"fair split, {max(SIZES):,} users, 600 looks: mismatch", f"fair {max(SIZES)}", 0.001, True),
        *(ratio(f"{BROKEN:.0%} in the treatment, {n:,} users: mismatch found", f"broken {n}",
                0.95 if n == 10_000 else None) for n in SIZES),
        loop("a real lift: rolled out", "a real lift: roll-out", 0.8),
        loop("a real lift: stopped", "a real lift: stop"),
        loop("no lift: rolled out", "no lift: roll-out", 0.05, True),
        loop("no lift: stopped", "no lift: stop", 0.8),
        loop("clicks up, return down: rolled out", "clicks up, return down: roll-out", 0.05, True),
        loop("clicks up, return down: stopped", "clicks up, return down: stop", 0.8),
        loop("the plan reaches lift and margin", "reached"),
    ]  # fmt: skip


def page(rows: list[Row]) -> str:
    return "\n".join(
        [
            "# The statistics of a pilot",
            "",
            "`python bench/bench_pilot.py`",
            "",
            "Intervals are exact (Clopper-Pearson, 95 %).",
            "",
            *markdown(rows),
            "",
            "## How",
            "",
            f"- **A/A and known lift**: {USERS:,} simulated users enter in {DAYS} days; both metrics are looked at on every day on which windows end, from 200 users per arm on. Visits are overdispersed, three in ten users have no number from before; the lift is +{LIFT['visits']:g} on 4 visits and +{LIFT['ctr']:g} on a click rate of 0.2. A false alarm is a pilot in which any day's interval leaves out zero.",
            "- **fixed-n intervals** are 95 % intervals made for one look; peeked at, they show why the others are wider.",
            "- **one other metric and three segments**: 7 comparisons at each of three weekly looks, corrected by Holm.",
            f"- **split**: looked at 600 times between 100 and {max(SIZES):,} users; alpha is 0.001.",
            f"- **drift world**: closed loop, {WORLD.users:,} users who come and go; what is shown moves clicks, satisfaction and who returns. {BEFORE} days of the policy in service are the past, from which the size is planned (lift of {MINIMUM_LIFT:.0%} in ctr, at most {MARGIN:.0%} of active days lost); then a pilot of {WEEKS} weeks and a window. The verdict is asked for every day; the first that is not `extend` counts, or the last.",
            "- The control shows honest items by their click rate. **A real lift** adds a user's own genre rates, **no lift** is the same policy, and **clicks up, return down** stops leaving out bait, which is clicked more and regretted. All policies are counts; each arm learns from its own visits.",
            "",
            "## Caveats",
            "",
            "- A pilot that is neither rolled out nor stopped within its weeks is still to be extended; its share is what is missing to 1.",
            "- Effects in the drift world are not small: on seeds 0 to 4 ctr rose by 8 to 19 % under the real lift, and 9 to 18 % of active days were lost to bait. What a small effect needs is said by the known lift above, +7.5 % and +5 %, which 4,000 users often cannot show.",
            "- The sequence errs less than it may: its 5 % are for all time, these pilots end at the planned size.",
            "- In a closed loop the lift is not a constant that could be known; of the drift world only decisions are counted.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one block of each part, nothing is written to --out")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "pilot")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    rows = rows_of(counted(options.runs, options.quick))
    for row in rows:
        print(*row.cells(), sep="\t")
    if options.quick:
        return
    write_csv(options.out / "pilot.csv", rows)
    write_text(options.out / "pilot.md", page(rows))


if __name__ == "__main__":
    main()
