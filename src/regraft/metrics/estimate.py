"""A number over people with its 95 % interval. People are drawn, their rows hang together.

Below FEW_USERS people there is no interval (NaN), as in metrics/intervals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from regraft.metrics.intervals import FEW_USERS

LEVEL = 0.95
Z = float(ndtri(0.5 + LEVEL / 2))
NAN = float("nan")


class Estimate(NamedTuple):
    """A value, the ends of its 95 % interval (NaN: there is none) and the people behind it."""

    value: float
    low: float
    high: float
    n: int


NOTHING = Estimate(NAN, NAN, NAN, 0)


def share(yes: int, n: int) -> Estimate:
    """yes / n of people, with Wilson's interval (Wilson 1927); NaN without people."""
    if not n:
        return NOTHING
    if n < FEW_USERS:
        return Estimate(yes / n, NAN, NAN, n)
    from scipy.stats import binomtest  # most of a second, that most commands need not wait

    ends = binomtest(yes, n).proportion_ci(LEVEL, method="wilson")
    return Estimate(yes / n, float(ends.low), float(ends.high), n)


def ratio(above: ArrayLike, below: ArrayLike, highest: float = np.inf) -> Estimate:
    """sum(above) / sum(below) over people, one number of each per person, with the delta method's interval.

    variance = n / (n - 1) sum (a_i - r b_i)^2 / (sum b_i)^2, which holds however many rows each person has. Ends are
    cut at 0 and `highest`. NaN where `below` is 0 for everybody.
    """
    a, b = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    n, total = len(b), float(b.sum())
    if not total:
        return Estimate(NAN, NAN, NAN, n)
    value = float(a.sum()) / total
    if n < FEW_USERS:
        return Estimate(value, NAN, NAN, n)
    width = Z * float(np.sqrt(n / (n - 1) * ((a - value * b) ** 2).sum())) / total
    lowest = 0.0 if (a >= 0).all() else -np.inf
    return Estimate(value, max(value - width, lowest), min(value + width, highest), n)


def mean(values: ArrayLike) -> Estimate:
    """The mean over people, one number of each."""
    given = np.asarray(values, dtype=np.float64)
    return ratio(given, np.ones(len(given)))
