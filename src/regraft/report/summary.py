"""From stored results to the numbers, the verdict and the tables of a run.

Contenders are compared on the same rows: those of the periods that have been scored so far. In a run that is
not finished, a contender (or a seed) that lacks some of them is shown, but not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from regraft.metrics.by_period import MetricMatrix
from regraft.metrics.intervals import Bootstrap
from regraft.report import measures
from regraft.report.continual import cell_table, churn_of, continual_metrics, matrices, untouched
from regraft.report.lists import lists_of
from regraft.report.results import Results
from regraft.report.standings import Spent, Standing, Summary
from regraft.report.tables import markdown_table, results_csv
from regraft.report.verdict import verdict

__all__ = ["Standing", "Summary", "markdown_table", "results_csv", "summarise", "verdict"]

DRAWS_PER_CONTENDER = 50  # with fewer, no Holm-adjusted p-value could fall below 0.05


@dataclass(frozen=True)
class Turnout:
    """Which seeds and periods of a contender are used."""

    name: str
    seeds: tuple[int, ...]
    periods: tuple[int, ...]
    compared: bool


def turnouts(results: Results) -> tuple[tuple[int, ...], list[Turnout]]:
    """The periods compared, and who was tested on all of them.

    A contender is compared with the seeds that were tested on every period that any contender was tested
    on; one without such a seed appears with the seed that came furthest.
    """
    tested: dict[str, dict[int, tuple[int, ...]]] = {}
    pairs = results.headline.select("contender", "seed", "period").unique().sort("contender", "seed", "period")
    for (name, seed), rows in pairs.group_by("contender", "seed", maintain_order=True):
        tested.setdefault(str(name), {})[int(str(seed))] = tuple(rows["period"].to_list())
    everything = tuple(sorted({p for seeds in tested.values() for periods in seeds.values() for p in periods}))
    found = []
    for name in (name for name in results.kinds if name in tested):
        whole = tuple(seed for seed, periods in tested[name].items() if periods == everything)
        furthest = max(tested[name], key=lambda seed: len(tested[name][seed]))
        seeds = whole or (furthest,)
        found.append(Turnout(name, seeds, tested[name][seeds[0]], bool(whole)))
    return everything, found


def summarise(results: Results, n_resamples: int = 1000, seed: int = 0) -> Summary:
    """Every number of the report. About 2 ms per resample, contender and seed on 100,000 test rows.

    `n_resamples` is raised to DRAWS_PER_CONTENDER times the number of contenders where it is lower.
    """
    periods, present = turnouts(results)
    draws = max(n_resamples, DRAWS_PER_CONTENDER * len(present))
    tables = {one.name: matrices(results.by_cell, one.name, one.seeds) for one in present}
    has_eval_rows = bool(results.cases["eval_row"].any())
    baseline = _without_updates(results, tables) if has_eval_rows else None

    examined = [_examined(results, one, tables[one.name], baseline, draws, seed) for one in present]
    standings = [one.standing for one in examined]
    in_test = results.cases.filter(pl.col("period").is_in(list(periods)))
    return Summary(
        run=results.run,
        cells_done=results.cells_done(),
        cells_planned=results.cells_planned(),
        compared_periods=periods,
        rows=in_test.height,
        users=in_test["user"].n_unique(),
        n_resamples=draws,
        standings=ranked(standings),
        seed_sd=pooled_sd(standings),
        periods=_named((one.standing.name, one.periods) for one in examined),
        groups=_named((one.standing.name, one.groups) for one in examined),
        curves=_named((one.standing.name, one.curve) for one in examined),
        cells=pl.concat(
            [cell_table(results.by_cell, one.name, tables[one.name]) for one in present]
            or [cell_table(results.by_cell, "", [])]
        ),
        has_eval_rows=has_eval_rows,
        draws={one.standing.name: one.draws for one in examined},
        lists=lists_of(
            results.ranks.filter(pl.col("period").is_in(list(periods))),
            results.run, [one.name for one in present if one.compared], draws, seed,
        ),
    )  # fmt: skip


class Examined(NamedTuple):
    """One contender's numbers and what they were read off."""

    standing: Standing
    draws: Bootstrap
    periods: pl.DataFrame
    groups: pl.DataFrame
    curve: pl.DataFrame


def _examined(
    results: Results,
    one: Turnout,
    tables: list[MetricMatrix],
    baseline: dict[int, float] | None,
    draws: int,
    seed: int,
) -> Examined:
    rows = measures.Rows.of(results.headline.filter(pl.col("contender") == one.name), one.seeds)
    boot, per_seed = measures.drawn(rows, draws, seed)
    churned = churn_of(results.by_cell, one.name, one.seeds)
    kept = continual_metrics(tables, churned, baseline, bool(results.cases["eval_row"].any()))
    error, floor, curve = measures.calibration(rows, seed)
    standing = Standing(
        name=one.name,
        kind=results.kinds[one.name],
        use=results.uses[one.name],
        summary=_words(results, one.name),
        seeds=one.seeds,
        periods=one.periods,
        compared=one.compared,
        users=int(rows.frame["user"].n_unique()),
        values={name: boot.interval(name) for name in boot.values},
        seed_sd=float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else float("nan"),
        ece=error,
        ece_floor=floor,
        spent=spent(results.costs, one.name, one.seeds),
        **kept._asdict(),
    )
    return Examined(standing, boot, *measures.by_period_and_group(rows, draws, seed), curve)


def ranked(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """By AUC, best first; those on other rows after those that are compared."""

    def place(standing: Standing) -> tuple[bool, float]:
        auc = standing.auc.estimate
        return not standing.compared, -auc if np.isfinite(auc) else np.inf

    return tuple(replace(s, rank=rank) for rank, s in enumerate(sorted(standings, key=place), start=1))


def pooled_sd(standings: Sequence[Standing]) -> float:
    """Deviation of the mean AUC between seeds of one strategy, over all strategies with several seeds."""
    freedom = [(len(s.seeds) - 1, s.seed_sd**2) for s in standings if s.is_llm and s.compared and len(s.seeds) > 1]
    total = sum(weight for weight, _ in freedom)
    return float(np.sqrt(sum(weight * square for weight, square in freedom) / total)) if total else float("nan")


def spent(costs: pl.DataFrame, name: str, seeds: Sequence[int]) -> Spent | None:
    """Sums over updates and means over seeds; None where nothing was recorded."""
    own = costs.filter(pl.col("contender") == name, pl.col("seed").is_in(list(seeds)))
    if own.is_empty():
        return None
    summed = ("cpu_seconds", "wall_seconds", "tokens_forward", "tokens_backward", "flops", "score_cpu_seconds")
    largest = ("adapter_bytes", "cache_bytes", "stored_interactions", "peak_memory")
    averaged = ("prompt_tokens_per_request", "forward_passes_per_request")
    by_seed = own.group_by("seed").agg(
        pl.len().alias("updates"), pl.col(summed).sum(), pl.col(largest).max(), pl.col(averaged).mean()
    )
    row = by_seed.select(pl.col(Spent._fields).mean()).row(0, named=True)
    numbers = {key: float("nan") if value is None else float(value) for key, value in row.items()}
    return Spent(**{**numbers, "updates": int(numbers["updates"])})  # type: ignore[arg-type]


def _without_updates(results: Results, tables: dict[str, list[MetricMatrix]]) -> dict[int, float] | None:
    """AUC per period of `never`, or of the first contender like it: what forward transfer is measured from."""
    like = [name for name in tables if results.uses[name] == "never" or "never" in name]
    return untouched(tables["never" if "never" in like else like[0]]) if like else None


def _words(results: Results, name: str) -> str:
    return next(str(c.get("summary") or "") for c in results.run["contenders"] if c["name"] == name)


def _named(frames: Iterable[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    """Frames of all contenders, under their names."""
    parts = [frame.select(pl.lit(name).alias("contender"), pl.all()) for name, frame in frames]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"contender": pl.String})
