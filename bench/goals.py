"""Does a language model pay on a stream? Two questions that a results page answers from the scores of its runs.

G0: the contender with a language model that does best on the first half of the scored periods, minus the best classical
contender chosen in the same way, on the second half. G2: every contender whose calibration is `stack`, minus `stack`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from regraft.metrics.intervals import Difference, bootstrap, compare
from regraft.report.results import Results

ANCHOR = "stack"


@dataclass(frozen=True)
class Half:
    """G0 on one stream. `found` is of the second half's periods."""

    llm: str
    classical: str
    first: tuple[int, ...]
    second: tuple[int, ...]
    found: Difference
    n: int


def second_half(results: Results) -> Half | None:
    """G0; None where the run lacks one of the kinds, or has fewer than two scored periods."""
    table = scored(results)
    periods = sorted(table["period"].unique().to_list())
    kinds = {kind: [name for name in results.kinds if results.kinds[name] == kind and name in table.columns]
             for kind in ("strategy", "baseline")}  # fmt: skip
    if len(periods) < 2 or not all(kinds.values()):
        return None
    first, second = periods[: len(periods) // 2], periods[len(periods) // 2 :]
    early, late = (table.filter(pl.col("period").is_in(part)) for part in (first, second))
    best = {kind: max(names, key=lambda name: _auc(early, name)) for kind, names in kinds.items()}
    found = difference(late, best["strategy"], best["baseline"])
    return Half(best["strategy"], best["baseline"], tuple(first), tuple(second), found, len(late))


def anchored(results: Results) -> dict[str, Difference]:
    """G2: mean AUC of each anchored contender minus that of the stack."""
    table = scored(results)
    given = (results.run.get("config") or {}).get("contenders") or []
    names = [name for name, c in zip(results.kinds, given, strict=False) if c.get("calibration") == "stack"]
    return {name: difference(table, name, ANCHOR) for name in names if {name, ANCHOR} <= set(table.columns)}


def scored(results: Results) -> pl.DataFrame:
    """One row per test row: case, period, user, label and a column of log-odds per contender (mean over its seeds)."""
    rows = results.headline.group_by("contender", "case").agg(pl.col("score").mean())
    wide = rows.pivot("contender", index="case", values="score")
    cases = results.cases.select("case", "period", "user", "label")
    return wide.join(cases, on="case").sort("case")


def difference(table: pl.DataFrame, one: str, other: str) -> Difference:
    """AUC of one minus the other on the rows that both scored, paired, over users."""
    both = table.filter(pl.col(one).is_not_null() & pl.col(other).is_not_null())
    label, a, b, user, period = (both[name].to_numpy() for name in ("label", one, other, "user", "period"))
    return compare(label, a, b, user, period)["auc"]


def _auc(table: pl.DataFrame, name: str) -> float:
    rows = table.filter(pl.col(name).is_not_null())
    label, score, user, period = (rows[c].to_numpy() for c in ("label", name, "user", "period"))
    return float(np.nan_to_num(bootstrap(label, score, user, period, n_resamples=1).values["auc"][0]))


def _span(periods: tuple[int, ...]) -> str:
    return f"period {periods[0]}" if len(periods) == 1 else f"periods {periods[0]} to {periods[-1]}"


def told(results: Results) -> list[str]:
    """Both answers as lines of a page."""
    lines = []
    if half := second_half(results):
        d = half.found
        lines.append(
            f"- G0: {half.llm} (best with a language model on {_span(half.first)}) minus {half.classical} "
            f"(best classical there) on {_span(half.second)}: {d.estimate:+.4f} AUC "
            f"[{d.low:+.4f}, {d.high:+.4f}], n = {half.n:,}: {'met' if d.low > 0 else 'not met'}."
        )
    for name, d in anchored(results).items():
        met = d.estimate >= -0.0005 and d.low >= -0.002
        lines.append(
            f"- G2: {name} minus stack: {d.estimate:+.4f} AUC [{d.low:+.4f}, {d.high:+.4f}] (at least -0.0005, lower bound at least "
            f"-0.002): {'met' if met else 'missed'}."
        )
    return lines
