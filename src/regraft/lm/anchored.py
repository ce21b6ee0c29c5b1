"""An anchored calibration: a language model's log-odds as a shrunken correction of the stack's.

    score = s + beta_g (m - (a + b s))

s is the stack's log-odds and m the model's. The line a + b s is the part of m that the stack explains, so only the
residual corrects. beta_g depends on the cell g: how many rows the item had before, by how many the user had. It is
fitted on rows that stack and model had scored before either learnt from them, with s as an offset and without an
intercept. Where the model adds nothing, beta is 0 and the score is the stack's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from regraft.counted import counted
from regraft.metrics.binary import log_loss

ITEM_EDGES = (1, 10, 50)  # of earlier rows of the item: 0, 1-9, 10-49, 50+
HISTORY_EDGES = (5, 20, 100)  # of earlier rows of the user: 0-4, 5-19, 20-99, 100+
CELLS = (len(ITEM_EDGES) + 1) * (len(HISTORY_EDGES) + 1)
LEAST_ROWS, LEAST_PERIODS = 200, 2  # served, below which beta is 0
# On beta as the change of the log-odds by one standard deviation of the residual. One row's information about it is 1/4
# or less, so that the penalty weighs as much as 800 rows or more.
PENALTY = 200.0
NOTHING = 1e-9  # a residual this small beside the model's log-odds is rounding
STEPS = 60  # of the search for a beta; it ends within ten


@dataclass(frozen=True)
class Anchored:
    """What the model adds to the stack's log-odds; `betas` are by item count, then by history length."""

    intercept: float = 0.0  # a
    slope: float = 0.0  # b
    betas: tuple[float, ...] = (0.0,) * CELLS
    item_edges: tuple[int, ...] = ITEM_EDGES
    history_edges: tuple[int, ...] = HISTORY_EDGES

    def apply(
        self, log_odds: np.ndarray, stack: np.ndarray, item_count: np.ndarray, history_length: np.ndarray
    ) -> np.ndarray:
        """float64 log-odds per row: of the model, of the stack, and how many earlier rows item and user had."""
        residual = log_odds - (self.intercept + self.slope * stack)
        return stack + np.asarray(self.betas)[self.cells(item_count, history_length)] * residual

    def cells(self, item_count: np.ndarray, history_length: np.ndarray) -> np.ndarray:
        """Number of each row's cell: an index into `betas`."""
        lengths = np.digitize(history_length, self.history_edges)
        cells: np.ndarray = np.digitize(item_count, self.item_edges) * (len(self.history_edges) + 1) + lengths
        return cells


@dataclass(frozen=True)
class Served:
    """Rows that were scored before stack and model learnt from them; one entry per row in each array."""

    log_odds: np.ndarray  # the model's, as served
    stack: np.ndarray  # the stack's, as served
    label: np.ndarray
    item_count: np.ndarray
    history_length: np.ndarray
    period: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def only(self, keep: np.ndarray) -> Served:
        """Some of the rows."""
        return Served(**{name: values[keep] for name, values in vars(self).items()})


def fit_anchored(served: Served) -> tuple[Anchored, str]:
    """(calibration, why its beta is what it is, in words).

    beta is 0 below LEAST_ROWS rows or LEAST_PERIODS periods, and where the fit on the earlier periods does not lower
    the stack's log-loss on the newest one. It is never negative: a negative one mends the level of the stack in the
    fitted periods and orders later rows worse (measured, docs/log.md).
    """
    periods = np.unique(served.period)
    rows = f"{len(served):,} rows of {counted(len(periods), 'periods')}"
    if not len(served):
        return Anchored(), "beta 0: nothing was served yet"
    if len(served) < LEAST_ROWS or len(periods) < LEAST_PERIODS:
        return Anchored(), f"beta 0: {rows} served, of {LEAST_ROWS} rows and {LEAST_PERIODS} periods needed"
    newest = served.period == periods[-1]
    gain = _gain(_fitted(served.only(~newest))[0], served.only(newest))
    found, pooled = _fitted(served)
    if not any(found.betas):
        return Anchored(), f"beta 0: the model adds nothing to the stack on {rows}"
    if not gain > 0:
        return Anchored(), f"beta 0: no gain forward ({gain:+.4f} log-loss on {newest.sum():,} rows)"
    least, most = min(found.betas), max(found.betas)
    return found, f"beta {pooled:.3f} pooled on {rows}, {least:.3f} to {most:.3f} by cell; {gain:+.4f} log-loss forward"


def _gain(anchored: Anchored, rows: Served) -> float:
    """By how much the calibration lowers the stack's log-loss."""
    said = anchored.apply(rows.log_odds, rows.stack, rows.item_count, rows.history_length)
    return log_loss(rows.label, rows.stack) - log_loss(rows.label, said)


def _fitted(rows: Served) -> tuple[Anchored, float]:
    """(calibration, pooled beta): each cell's beta is shrunk to the pooled one, that to 0."""
    s, m = rows.stack, rows.log_odds
    spread = s - s.mean()
    variance = spread @ spread
    slope = float(spread @ (m - m.mean()) / variance) if variance > 0 else 0.0
    intercept = float(m.mean() - slope * s.mean())
    residual = m - (intercept + slope * s)
    scale = float(residual.std())
    if scale <= NOTHING * max(1.0, float(np.abs(m).max())):
        return Anchored(), 0.0
    z, cells = residual / scale, Anchored().cells(rows.item_count, rows.history_length)
    pooled = max(0.0, _shrunk(z, s, rows.label, np.zeros(len(rows), np.int64), np.zeros(1))[0])
    betas = np.maximum(0.0, _shrunk(z, s, rows.label, cells, np.full(CELLS, pooled)))  # concave: the best from 0 up
    return Anchored(intercept, slope, tuple(map(float, betas / scale))), float(pooled / scale)


def _shrunk(z: np.ndarray, offset: np.ndarray, label: np.ndarray, cell: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Per cell the beta that maximises log-likelihood(offset + beta z) - PENALTY / 2 (beta - towards)^2.

    The derivative falls in beta, so a Newton step that leaves the interval known to hold the root is replaced by a
    halving.
    """
    beta, n = towards.copy(), len(towards)
    reach = np.bincount(cell, np.abs(z), n) / PENALTY  # |label - p| <= 1 bounds how far the data can pull
    low, high = towards - reach, towards + reach
    for _ in range(STEPS):
        p = expit(offset + beta[cell] * z)
        rise = np.bincount(cell, (label - p) * z, n) - PENALTY * (beta - towards)
        low, high = np.where(rise >= 0, beta, low), np.where(rise <= 0, beta, high)
        step = rise / (np.bincount(cell, p * (1 - p) * z * z, n) + PENALTY)
        if np.abs(step).max() < 1e-12:
            break
        inside = (beta + step >= low) & (beta + step <= high)
        beta = np.where(inside, beta + step, (low + high) / 2)
    return beta
