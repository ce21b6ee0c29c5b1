"""AUC of several parts of the tested periods from one bootstrap: the same people are drawn for every part."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike

from regraft.metrics.binary import checked, same_length
from regraft.metrics.intervals import Bootstrap, Resampler, WeightedAuc


def auc_of_parts(
    labels: ArrayLike, scores: ArrayLike, users: ArrayLike, periods: ArrayLike, parts: Mapping[str, Collection[int]],
    n_resamples: int = 1000, seed: int = 0,
) -> Bootstrap:  # fmt: skip
    """Per part (periods by name): the mean over its periods of the AUC inside the period, with its resamples.

    As the statistic `auc` of `intervals.bootstrap` on each part, but that people are drawn from all of the rows. A
    period of one class counts in no part; NaN for a part without any other.
    """
    liked, numbers = checked(labels, scores)
    numbered, period = np.unique(np.asarray(periods), return_inverse=True)
    resampler = Resampler(users, n_resamples, seed)
    same_length("bootstrap", labels=liked, users=resampler.codes, periods=period)
    likes, rows = (np.bincount(period[keep], minlength=len(numbered)) for keep in (liked, np.ones(len(liked), bool)))
    both = (likes > 0) & (likes < rows)
    weighted = WeightedAuc(liked, numbers, resampler.codes, period)
    draws = [weighted(np.ones(resampler.n_users))]
    draws += [weighted(row) for counts in resampler.batches() for row in counts]
    by_period = np.array(draws)  # [1 + n_resamples, periods with both classes]
    values, counted, people = {}, {}, {}
    for name, wanted in parts.items():
        mine = np.isin(numbered, list(wanted)) & both
        values[name] = _mean(by_period[:, mine[both]])
        inside = mine[period]
        counted[name], people[name] = int(inside.sum()), len(np.unique(resampler.codes[inside]))
    return Bootstrap(values, counted, (len(liked), resampler.n_users, seed), people)


def _mean(columns: np.ndarray) -> np.ndarray:
    """Mean per row of what is defined; NaN where nothing is."""
    defined = ~np.isnan(columns)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(defined, columns, 0.0).sum(axis=1) / defined.sum(axis=1)
    return mean
