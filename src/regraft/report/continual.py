"""What a contender learned, kept and lost, read off the scores of every model on every period.

All of it is computed seed by seed on the rows that nothing was trained on, then averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from regraft.metrics.by_period import (
    Mean,
    MetricMatrix,
    Staleness,
    backward_transfer,
    churn,
    forgetting,
    forward_transfer,
    learning_accuracy,
    metric_matrix,
    retained_accuracy,
    staleness,
)
from regraft.report.standings import NOT_MEASURED

CELLS: dict[str, pl.DataType | type[pl.DataType]] = {
    "contender": pl.String,
    "update": pl.Int32,
    "period": pl.Int32,
    "n": pl.Int64,
    "auc": pl.Float64,
}


class ContinualMetrics(NamedTuple):
    """See `regraft.metrics.by_period`; each Mean has n = 0 and NaN where no cell was measured."""

    learning: Mean = NOT_MEASURED
    retained: Mean = NOT_MEASURED
    backward: Mean = NOT_MEASURED
    forward: Mean = NOT_MEASURED
    forgetting: Mean = NOT_MEASURED
    churn: Mean = NOT_MEASURED
    staleness: tuple[Staleness, ...] = ()


def matrices(by_cell: pl.DataFrame, contender: str, seeds: Sequence[int]) -> list[MetricMatrix]:
    """AUC of the model after each update on each period, one table per seed."""
    own = by_cell.filter(pl.col("contender") == contender, pl.col("seed").is_in(list(seeds)))
    return [metric_matrix(rows, "auc") for _, rows in own.group_by("seed", maintain_order=True)]


def untouched(tables: Sequence[MetricMatrix]) -> dict[int, float]:
    """AUC per period of the model after its first update, averaged over seeds: for `never`, of every model."""
    rows = [table.row(table.updates[0]) for table in tables]
    return {period: float(np.mean([row[period] for row in rows])) for period in rows[0]} if rows else {}


def continual_metrics(
    tables: Sequence[MetricMatrix], churned: Mean, baseline: Mapping[int, float] | None, has_eval_rows: bool
) -> ContinualMetrics:
    """The contender's numbers; `baseline` is the AUC per period without updates, None where nobody has it.

    Without rows that nothing was trained on (`has_eval_rows`), a model cannot be tested on what it has learned.
    """
    if not tables or not has_eval_rows:
        return ContinualMetrics(churn=churned)
    return ContinualMetrics(
        _average([learning_accuracy(table) for table in tables]),
        _average([retained_accuracy(table) for table in tables]),
        _average([backward_transfer(table) for table in tables]),
        NOT_MEASURED if baseline is None else _average([forward_transfer(table, baseline) for table in tables]),
        _average([forgetting(table) for table in tables]),
        churned,
        _average_staleness([staleness(table) for table in tables]),
    )


def churn_of(by_cell: pl.DataFrame, contender: str, seeds: Sequence[int]) -> Mean:
    """Mean over updates t of |p_t - p_{t-1}| on the rows of period t + 1: what its users would notice.

    n is the number of pairs of models.
    """
    own = by_cell.filter(pl.col("contender") == contender, pl.col("seed").is_in(list(seeds)))
    now = own.filter(pl.col("period") == pl.col("update") + 1)
    before = own.select("seed", "case", pl.col("update") + 1, pl.col("score").alias("before"))
    pairs = now.join(before, on=["seed", "case", "update"])
    changes = [
        churn(rows["before"].to_numpy(), rows["score"].to_numpy()) for _, rows in pairs.group_by("seed", "update")
    ]
    return Mean(float(np.mean(changes)), len(changes)) if changes else NOT_MEASURED


def cell_table(by_cell: pl.DataFrame, contender: str, tables: Sequence[MetricMatrix]) -> pl.DataFrame:
    """CELLS of one contender: AUC averaged over seeds, with the rows behind each cell."""
    if not tables:
        return pl.DataFrame(schema=CELLS)
    first = tables[0]
    mean = np.mean([table.values for table in tables if table.values.shape == first.values.shape], axis=0)
    counts = (
        by_cell.filter(pl.col("contender") == contender)
        .group_by("update", "period")
        .agg(n=pl.col("case").n_unique().cast(pl.Int64))
    )
    flat = [
        (contender, update, period, float(mean[row, column]))
        for row, update in enumerate(first.updates)
        for column, period in enumerate(first.periods)
    ]
    names = [name for name in CELLS if name != "n"]
    frame = pl.DataFrame(flat, schema={name: CELLS[name] for name in names}, orient="row")
    return frame.join(counts, on=["update", "period"], how="inner").select(*CELLS)


def _average(means: Sequence[Mean]) -> Mean:
    """Over seeds; n stays the number of cells behind one of them."""
    return Mean(float(np.mean([mean.value for mean in means])), means[0].n)


def _average_staleness(curves: Sequence[Sequence[Staleness]]) -> tuple[Staleness, ...]:
    return tuple(
        Staleness(
            points[0].k,
            float(np.mean([point.value for point in points])),
            points[0].n,
            float(np.mean([point.lost for point in points])),
            points[0].n_lost,
        )
        for points in zip(*curves, strict=False)
    )
