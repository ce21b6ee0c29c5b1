"""The difference between the arms in one metric, with a fixed-n interval and the sequence.

CUPED (Deng et al. 2013) and ratios by the delta method (Deng et al. 2018) are tea-tasting's; a ratio's effect is the
difference of the arms' ratios of sums. Its standard error gives psi's spread: sigma = se sqrt(n), so that the sequence
is centred where the fixed-n interval is.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from regraft.errors import MissingExtraError
from regraft.pilot.people import Values, linear
from regraft.pilot.sequence import half_width, p_value, tightest_rho

NAN = math.nan


class Estimate(NamedTuple):
    """Treatment minus control, in units of the metric. Bounds and p are NaN where all users have the same value."""

    control: float = NAN  # mean or ratio, adjusted for what was known before exposure
    treatment: float = NAN
    effect: float = NAN
    low: float = NAN  # of the sequence: valid however often one looks
    high: float = NAN
    fixed_low: float = NAN  # valid for one look, at a size fixed in advance
    fixed_high: float = NAN
    p: float = NAN  # of the sequence
    sigma: float = NAN  # standard deviation of psi


def estimate(of: Values, treated: np.ndarray, alpha: float, planned: int) -> Estimate:
    """`treated` bool [users]; the sequence is tightest at `planned` users per arm. Both arms need two users or more."""
    if np.ptp(linear(of.top, of.bottom)) <= 1e-12 * np.abs(of.top).max():  # too little data, not certainty
        below = 1.0 if of.bottom is None else float(of.bottom.mean())
        same = float(of.top.mean()) / below if below else NAN
        return Estimate(same, same, 0.0, sigma=0.0)
    found, n = _tea_tasting(of, treated, alpha), len(treated)
    effect, fixed = float(found.effect_size), (found.effect_size_ci_lower, found.effect_size_ci_upper)
    sigma = float((fixed[1] - fixed[0]) / 2 / norm.ppf(1 - alpha / 2)) * math.sqrt(n)
    rho = tightest_rho(2 * planned, alpha)
    width = half_width(n, sigma, rho, alpha)
    p = p_value(effect, n, sigma, rho)
    return Estimate(found.control, found.treatment, effect, effect - width, effect + width, *fixed, p, sigma)


def _tea_tasting(of: Values, treated: np.ndarray, alpha: float) -> Any:
    """A MeanResult from means and covariances of each arm."""
    try:
        from tea_tasting.aggr import Aggregates
        from tea_tasting.metrics import RatioOfMeans
    except ModuleNotFoundError as missing:
        raise MissingExtraError("the analysis of a pilot", "site", "tea-tasting") from missing
    columns = {name: column for name, column in of._asdict().items() if column is not None}
    names = list(columns)

    def arm(who: np.ndarray) -> Aggregates:
        data = np.stack([column[who] for column in columns.values()])
        covariance = np.atleast_2d(np.cov(data))
        return Aggregates(
            int(who.sum()),
            dict(zip(names, data.mean(axis=1).tolist(), strict=True)),
            dict(zip(names, np.diag(covariance).tolist(), strict=True)),
            {(a, b): float(covariance[i, j]) for i, a in enumerate(names) for j, b in enumerate(names) if i < j},
        )

    denominator, covariate = (name if name in columns else None for name in ("bottom", "before"))
    metric = RatioOfMeans("top", denominator, covariate, use_t=False, equal_var=False, confidence_level=1 - alpha)
    return metric.analyze_aggregates(arm(~treated), arm(treated))
