"""What updating gained, kept and lost: numbers read off the table "model after update t on period j".

Rows and columns carry real period numbers: update t has seen the data of period t, so cell (t, t + 1)
is the score in production. A cell that was not measured is NaN and counts nowhere; every mean says over
how many cells it runs. Sources: Lopez-Paz & Ranzato 2017, arXiv 1706.08840 (backward and forward
transfer); Chaudhry et al. 2018, arXiv 1801.10112 (forgetting).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import expit

from regraft.errors import DataError
from regraft.metrics.binary import auc, brier, checked, log_loss, uauc

Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], float]

MEASURES: Mapping[str, Measure] = {  # of labels, log-odds and users
    "auc": lambda labels, scores, users: auc(labels, scores),
    "uauc": lambda labels, scores, users: uauc(labels, scores, users).value,
    "log_loss": lambda labels, scores, users: log_loss(labels, scores),
    "brier": lambda labels, scores, users: brier(labels, scores),
}
LOWER_IS_BETTER = frozenset({"log_loss", "brier"})


class Mean(NamedTuple):
    """A mean over cells of the table; NaN with n = 0 where none of them was measured."""

    value: float
    n: int


class Staleness(NamedTuple):
    """Quality k periods after the model should have been replaced."""

    k: int
    value: float  # S(k): mean over t of M[t, t + 1 + k]
    n: int
    lost: float  # mean of M[t, t + 1 + k] - M[t + k, t + 1 + k]: stale minus fresh on the same periods
    n_lost: int


@dataclass(frozen=True)
class MetricMatrix:
    """M[t, j]: the model after update t, measured on period j; NaN = not measured."""

    updates: tuple[int, ...]  # ascending
    periods: tuple[int, ...]  # ascending
    values: np.ndarray  # float64 [updates, periods]
    higher_is_better: bool = True

    @classmethod
    def of(cls, cells: Mapping[tuple[int, int], float], higher_is_better: bool = True) -> MetricMatrix:
        """The table with value `cells[update, period]`, NaN elsewhere; DataError without any cell."""
        if not cells:
            raise DataError("table by period", "found no scores", "at least one model on one period.")
        updates, periods = (tuple(sorted({key[side] for key in cells})) for side in (0, 1))
        values = np.full((len(updates), len(periods)), np.nan)
        for (update, period), value in cells.items():
            values[updates.index(update), periods.index(period)] = value
        return cls(updates, periods, values, higher_is_better)

    def at(self, update: int, period: int) -> float:
        """One cell; NaN where it was not measured or does not exist."""
        if update not in self.updates or period not in self.periods:
            return float("nan")
        return float(self.values[self.updates.index(update), self.periods.index(period)])

    def row(self, update: int) -> dict[int, float]:
        """Value per test period of the model after one update."""
        return {period: self.at(update, period) for period in self.periods}

    @property
    def last(self) -> int:
        """T, the newest update."""
        return self.updates[-1]


def metric_matrix(frame: pl.DataFrame, metric: str) -> MetricMatrix:
    """M from stored scores: columns update, period, label, score (log-odds), user; one row per case.

    `metric` is one of MEASURES. A cell whose rows have one class is NaN for auc and uauc.
    """
    if metric not in MEASURES:
        raise DataError("table by period", f"found metric '{metric}'", f"one of {', '.join(MEASURES)}.")
    missing = {"update", "period", "label", "score", "user"} - set(frame.columns)
    if missing:
        raise DataError(
            "table by period",
            f"the column(s) {', '.join(sorted(missing))} are missing among {', '.join(frame.columns)}",
            "update, period, label, score, user.",
        )
    measure = MEASURES[metric]
    coded = frame.with_columns(pl.col("user").rank("dense"))
    cells = {
        (int(update), int(period)): measure(*(rows[name].to_numpy() for name in ("label", "score", "user")))
        for (update, period), rows in coded.group_by("update", "period")
    }
    return MetricMatrix.of(cells, metric not in LOWER_IS_BETTER)


def prequential(m: MetricMatrix) -> Mean:
    """Mean over t of M[t, t + 1]: what users get from always serving the newest model. The headline."""
    return _mean(m.at(t, t + 1) for t in m.updates)


def learning_accuracy(m: MetricMatrix) -> Mean:
    """Mean over t of M[t, t]: how well the newest period is learned (plasticity)."""
    return _mean(m.at(t, t) for t in m.updates)


def retained_accuracy(m: MetricMatrix) -> Mean:
    """Mean over j <= T of M[T, j]: how well the newest model does on everything so far (stability)."""
    return _mean(m.at(m.last, j) for j in m.periods if j <= m.last)


def harmonic_mean(learning: float, retained: float) -> float:
    """Balance of learning and retained accuracy, both positive: close to the smaller one."""
    return 2 * learning * retained / (learning + retained) if learning + retained else float("nan")


def backward_transfer(m: MetricMatrix) -> Mean:
    """Mean over j < T of M[T, j] - M[j, j]: what later updates did to earlier periods."""
    return _mean(m.at(m.last, j) - m.at(j, j) for j in m.periods if j < m.last)


def forward_transfer(m: MetricMatrix, baseline: Mapping[int, float]) -> Mean:
    """Mean over j of M[j - 1, j] - baseline[j]: what learning until j - 1 is worth on period j.

    `baseline` is the value per period of the model before any update (M[0, j] in the paper).
    """
    return _mean(m.at(j - 1, j) - baseline.get(j, float("nan")) for j in m.periods)


def forgetting(m: MetricMatrix) -> Mean:
    """Mean over j < T of best_{t <= T} M[t, j] - M[T, j]: the distance to the best model ever; 0 or more.

    Where lower values are better, the best is the smallest and the distance is turned round.
    """
    sign = 1.0 if m.higher_is_better else -1.0
    earlier = [j for j in m.periods if j < m.last and not np.isnan(m.at(m.last, j))]
    best = {j: max(sign * m.at(t, j) for t in m.updates if not np.isnan(m.at(t, j))) for j in earlier}
    return _mean(best[j] - sign * m.at(m.last, j) for j in earlier)


def staleness(m: MetricMatrix) -> list[Staleness]:
    """The value of updating: S(k) for k = 0, 1, ... as far as anything was measured.

    S(0) is the prequential mean. Different k average different periods, which may be harder or easier
    as such; `lost` compares with the fresh model on the same periods and is free of that.
    """
    curve = []
    for k in range(max(m.periods) - min(m.updates)):
        stale = _mean(m.at(t, t + 1 + k) for t in m.updates)
        lost = _mean(m.at(t, t + 1 + k) - m.at(t + k, t + 1 + k) for t in m.updates)
        curve.append(Staleness(k, stale.value, stale.n, lost.value, lost.n))
    return curve


def churn(scores_before: ArrayLike, scores_after: ArrayLike) -> float:
    """Mean |p - p'| over the same rows, from log-odds: what a swap changes; 0 to 1, NaN without rows."""
    before = np.asarray(scores_before)
    _, old = checked(np.zeros(before.shape), before)
    _, new = checked(np.zeros(before.shape), scores_after)
    return float(np.abs(expit(old) - expit(new)).mean()) if old.size else float("nan")


def _mean(values: Iterable[float]) -> Mean:
    """Mean of the measured values."""
    measured = [value for value in values if not np.isnan(value)]
    return Mean(float(np.mean(measured)) if measured else float("nan"), len(measured))
