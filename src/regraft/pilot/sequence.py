"""Intervals that stay valid however often one looks at them.

Asymptotic confidence sequences (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv 2103.06476, theorem 2.2).
Users arrive one after the other; user i, in the treatment with chance `share`, adds psi_i, whose expectation is the
effect. With sigma the running standard deviation of psi,

    mean(psi) +- sigma sqrt(2 (n rho^2 + 1) / (n^2 rho^2) log(sqrt(n rho^2 + 1) / alpha))

holds the effect at *all* n at once with a chance of about 1 - alpha, once n is large (LEAST users per arm).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import lambertw


def psi(values: ArrayLike, treated: ArrayLike, share: float = 0.5) -> np.ndarray:
    """Y (Z / share - (1 - Z) / (1 - share)): one number per user whose expectation is the effect; float64 [users].

    `values` may be residuals of any prediction that does not know the arm: the expectation stays, the variance falls.
    """
    value, arm = np.asarray(values, dtype=np.float64), np.asarray(treated, dtype=bool)
    return np.where(arm, value / share, -value / (1 - share))


def tightest_rho(n: float, alpha: float) -> float:
    """The rho whose interval is narrowest at n users in all: n rho^2 = -W(-alpha^2 / e) - 1, lower branch."""
    return math.sqrt((-lambertw(-(alpha**2) / math.e, k=-1).real - 1) / n)


def half_width(n: float, sigma: float, rho: float, alpha: float) -> float:
    """Half the width after n users in all; `sigma` is the standard deviation of psi."""
    grown = n * rho**2 + 1
    return sigma * math.sqrt(2 * grown / (n * rho) ** 2 * math.log(math.sqrt(grown) / alpha))


def p_value(effect: float, n: float, sigma: float, rho: float) -> float:
    """The smallest alpha whose interval leaves out zero, at most 1; valid at any n, as the interval is."""
    if sigma == 0:
        return 1.0 if effect == 0 else 0.0
    grown = n * rho**2 + 1
    return min(1.0, math.sqrt(grown) * math.exp(-((effect / sigma * n * rho) ** 2) / (2 * grown)))
