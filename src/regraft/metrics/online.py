"""Short term: how well the version in service foresaw a day that it had not seen, and how fast it answers.

`lists` has one row per list: `pseudonym` of the person, and `seconds`.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import expit

from regraft.metrics.binary import checked
from regraft.metrics.estimate import NAN, NOTHING, Estimate, Z, ratio
from regraft.metrics.intervals import FEW_USERS, bootstrap

DRAWS = 200
SLOW = 0.95


def foresight(labels: ArrayLike, log_odds: ArrayLike, users: ArrayLike) -> dict[str, Estimate]:
    """`auc`, `uauc`, `log_loss` (nats) and `calibration` of one day's rows, each with interval and people.

    The day's rows are scored by the version that was in service before it was closed. Intervals of the first three:
    users are drawn with replacement.
    """
    liked, numbers = checked(labels, log_odds)
    people = np.asarray(users)
    drawn = bootstrap(liked, numbers, people, np.zeros(len(liked), dtype=np.int64), DRAWS)
    n = len(np.unique(people))
    found = {}
    for name in ("auc", "uauc", "log_loss"):
        value, low, high, _ = drawn.interval(name)
        found[name] = Estimate(value, low, high, n if name != "uauc" else (drawn.users or {}).get(name, n))
    return {**found, "calibration": calibration(liked, numbers, people)}


def calibration(labels: ArrayLike, log_odds: ArrayLike, users: ArrayLike) -> Estimate:
    """Likes that were predicted / likes that came true: 1 is right, above 1 promises too much.

    sum of sigmoid(log-odds) / sum of labels. Interval: delta method over people. NaN where nothing was liked.
    """
    liked, numbers = checked(labels, log_odds)
    _, person = np.unique(np.asarray(users), return_inverse=True)
    size = int(person.max(initial=-1)) + 1
    predicted, true = (np.bincount(person, weights=w, minlength=size) for w in (expit(numbers), liked.astype(float)))
    return ratio(predicted, true)


def latency(lists: pl.DataFrame) -> Estimate:
    """Seconds within which 95 % of the lists were made, from the request's arrival to the ranked list.

    Interval: of a quantile by ranks (normal approximation of the binomial), as if lists were independent.
    """
    seconds = np.sort(lists["seconds"].drop_nulls().to_numpy())
    people, size = lists["pseudonym"].n_unique(), len(seconds)
    if not size:
        return NOTHING
    value, wide = float(np.quantile(seconds, SLOW)), Z * np.sqrt(size * SLOW * (1 - SLOW))
    if people < FEW_USERS:
        return Estimate(value, NAN, NAN, people)
    at = np.clip([np.floor(size * SLOW - wide), np.ceil(size * SLOW + wide)], 0, size - 1).astype(int)
    return Estimate(value, float(seconds[at[0]]), float(seconds[at[1]]), people)
