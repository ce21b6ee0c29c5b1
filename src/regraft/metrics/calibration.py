"""Whether a predicted 70 % comes true 70 % of the time.

Expected calibration error in equal-mass bins has a floor: with perfect probabilities it is about 0.013
at 10,000 rows and 0.029 at 2,000, from chance alone. Report the excess over that floor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit

from regraft.errors import DataError
from regraft.metrics.binary import checked, tie_runs

HOTTEST = 20.0  # temperatures are searched between 1 / HOTTEST and HOTTEST


class ReliabilityCurve(NamedTuple):
    """One point per bin that holds rows, from the lowest to the highest prediction."""

    predicted: np.ndarray  # mean probability in the bin
    observed: np.ndarray  # share of liked rows in the bin
    rows: np.ndarray  # int64


def reliability_curve(labels: ArrayLike, log_odds: ArrayLike, bins: int = 15) -> ReliabilityCurve:
    """Mean prediction against what came true, in at most `bins` equal-mass bins; empty without rows.

    Equal predictions are never split over two bins, so the order of rows does not matter.
    """
    liked, numbers = checked(labels, log_odds)
    code, rows = _equal_mass(numbers, bins)
    predicted = np.bincount(code, weights=expit(numbers), minlength=len(rows)) / rows
    observed = np.bincount(code, weights=liked, minlength=len(rows)) / rows
    return ReliabilityCurve(predicted, observed, rows)


def ece(labels: ArrayLike, log_odds: ArrayLike, bins: int = 15) -> float:
    """Mean over rows of |share liked - mean prediction| of the row's bin.

    0 to 1, lower is better, never 0 by chance: see `ece_excess`. NaN without rows.
    """
    curve = reliability_curve(labels, log_odds, bins)
    if not curve.rows.size:
        return float("nan")
    return float(np.average(np.abs(curve.observed - curve.predicted), weights=curve.rows))


def ece_floor(log_odds: ArrayLike, bins: int, draws: int, rng: np.random.Generator) -> float:
    """The ECE to expect on these rows if every prediction were exactly right: mean over simulated labels."""
    _, numbers = checked(np.zeros(np.size(log_odds)), log_odds)
    if not numbers.size:
        return float("nan")
    code, rows = _equal_mass(numbers, bins)
    probability = expit(numbers)
    expected = np.bincount(code, weights=probability)
    # sum_b n_b / n * |likes_b / n_b - expected_b / n_b| = sum_b |likes_b - expected_b| / n
    gaps = [
        np.abs(np.bincount(code[rng.random(code.size) < probability], minlength=len(rows)) - expected).sum()
        for _ in range(draws)
    ]
    return float(np.mean(gaps) / code.size)


def ece_excess(labels: ArrayLike, log_odds: ArrayLike, bins: int = 15, draws: int = 200, seed: int = 0) -> float:
    """ECE minus its floor: about 0 for a calibrated model at any number of rows, a little below by chance."""
    return ece(labels, log_odds, bins) - ece_floor(log_odds, bins, draws, np.random.default_rng(seed))


def temperature(labels: ArrayLike, log_odds: ArrayLike) -> float:
    """The T > 0 for which log_odds / T has the lowest log-loss; above 1 = the model is too sure of itself.

    Held between 1/20 and 20, which it reaches where labels are separated by the sign of the log-odds, or
    contradict it. 1 where every log-odds is 0, NaN without rows. Source: Guo et al. 2017, arXiv 1706.04599.
    """
    liked, numbers = checked(labels, log_odds)
    if not numbers.any():
        return 1.0 if liked.size else float("nan")

    def slope(sharpness: float) -> float:  # of the log-loss in 1 / T, in which it is convex
        return float(((expit(sharpness * numbers) - liked) * numbers).mean())

    if slope(1 / HOTTEST) >= 0:
        return HOTTEST
    if slope(HOTTEST) <= 0:
        return 1 / HOTTEST
    return 1 / float(brentq(slope, 1 / HOTTEST, HOTTEST))


def _equal_mass(numbers: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each row, counted from 0 without gaps, and the rows per bin.

    A run of ties goes as a whole to the bin of its middle.
    """
    if bins < 1:
        raise DataError("calibration", f"found {bins} bins", "1 or more.")
    order = np.argsort(numbers)
    start, end = tie_runs(numbers[order])
    code = np.empty(numbers.size, dtype=np.int64)
    code[order] = bins * (start + end - 1) // (2 * max(numbers.size, 1))
    _, dense, rows = np.unique(code, return_inverse=True, return_counts=True)
    return dense, rows
