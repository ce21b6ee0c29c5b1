"""From stored results to the numbers, the verdict and the tables of a run.

Contenders are compared on the same rows: those of the periods that have been scored so far. In a run that is
not finished, a contender (or a seed) that lacks some of them is shown, but not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from regraft.metrics.by_period import MetricMatrix
from regraft.metrics.intervals import Bootstrap
from regraft.report import measures
from regraft.report.continual import cell_table, churn_of, continual_metrics, matrices, untouched
from regraft.report.ladder import Place, higher, places
from regraft.report.lists import lists_of
from regraft.report.results import Results
from regraft.report.standings import ALPHA, Spent, Standing, Summary
from regraft.report.tables import markdown_table, results_csv
from regraft.report.verdict import verdict
from regraft.rungs import height

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


def summarise(
    results: Results, n_resamples: int = 1000, seed: int = 0, *, kept: dict[Any, Any] | None = None
) -> Summary:
    """Every number of the report. About 2 ms per resample, contender and seed on 100,000 test rows.

    `n_resamples` is raised to DRAWS_PER_CONTENDER times the number of contenders where it is lower. `kept` holds what
    was worked out for contenders of the same run before, and takes in what is worked out now.
    """
    kept = {} if kept is None else kept
    periods, present = turnouts(results)
    draws = max(n_resamples, DRAWS_PER_CONTENDER * len(present))
    tables = {one.name: matrices(results.by_cell, one.name, one.seeds) for one in present}
    has_eval_rows = bool(results.cases["eval_row"].any())
    baseline = _without_updates(results, tables) if has_eval_rows else None

    examined = [_examined(results, one, tables[one.name], baseline, draws, seed, kept) for one in present]
    standings = [one.standing for one in examined]
    in_test = results.cases.filter(pl.col("period").is_in(list(periods)))
    summary = Summary(
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
    return replace(summary, elsewhere=_elsewhere(results, summary, seed))


def _elsewhere(results: Results, summary: Summary, seed: int) -> tuple[Place, ...]:
    """Groups by item count and history in which a rung above the last that pays is above it."""
    serves, above = summary.served, higher(summary.ladder)
    if serves is None or not above or summary.few_users() is not None or summary.judged_by != "auc":
        return ()

    def drawn(standing: Standing) -> tuple[Bootstrap, list[tuple[str, str]]]:
        rows = _rows(results, standing.name, standing.seeds)
        kinds = [kind for kind in ("item_count", "history") if kind in rows.kinds]
        return measures.by_group_drawn(rows, kinds, summary.n_resamples, seed)

    below, groups = drawn(serves.best)
    return tuple(p for step in above for p in places(step, drawn(step.best)[0], below, groups, ALPHA))


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
    kept: dict[Any, Any],
) -> Examined:
    rows = _rows(results, one.name, one.seeds)
    key = (one, draws, seed)
    if key not in kept:
        bands = measures.by_period_and_group(rows, draws, seed)
        kept[key] = measures.drawn(rows, draws, seed), bands, measures.calibration(rows, seed)
    (boot, per_seed), (periods, groups), (error, floor, curve) = kept[key]
    churned = churn_of(results.by_cell, one.name, one.seeds)
    memory = continual_metrics(tables, churned, baseline, bool(results.cases["eval_row"].any()))
    standing = Standing(
        name=one.name,
        kind=results.kinds[one.name],
        rung=results.rungs[one.name],
        use=results.uses[one.name],
        summary=_words(results, one.name),
        seeds=one.seeds,
        periods=one.periods,
        compared=one.compared,
        users=int(rows.frame["user"].n_unique()),
        requests=len(rows.frame),
        values={name: boot.interval(name) for name in boot.values},
        seed_sd=float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else float("nan"),
        ece=error,
        ece_floor=floor,
        spent=spent(results.costs, one.name, one.seeds),
        **memory._asdict(),
    )
    return Examined(standing, boot, periods, groups, curve)


def _rows(results: Results, name: str, seeds: Sequence[int]) -> measures.Rows:
    return measures.Rows.of(results.headline.filter(pl.col("contender") == name), seeds)


def ranked(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """Up the ladder, inside a rung by AUC, best first; those on other rows after those that are compared."""

    def place(standing: Standing) -> tuple[bool, int, float]:
        auc = standing.auc.estimate
        return not standing.compared, height(standing.rung), -auc if np.isfinite(auc) else np.inf

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
