"""How sure a number is: intervals and paired differences from resampled users.

Rows of one user hang together, within a period and across periods, so whole users are drawn with
replacement (cluster bootstrap). A draw only gives every user a count; AUC under such weights needs no
new sort, and the other statistics are sums per user, so a resample costs about as much as one read.

The same seed gives the same draws for every scorer of the same rows: differences are paired.

Below FEW_USERS users there is no interval and no p-value (NaN). Nor is there one where no resample differs from the
rows themselves: that is a sign of too little data, not of certainty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from regraft.errors import DataError
from regraft.metrics.binary import auc_by_group, checked, row_brier, row_log_loss, same_length, tie_runs

FEW_USERS = 30  # with fewer, percentiles of resampled users say nothing: there is no interval
BATCH = 50  # resamples whose user counts are in memory at once


class Interval(NamedTuple):
    """A statistic with its percentile interval."""

    estimate: float  # on all rows
    low: float  # NaN where there is no interval
    high: float
    n: int  # rows the statistic speaks for


class Difference(NamedTuple):
    """Statistic of a minus statistic of b, paired by resample."""

    estimate: float
    low: float  # NaN where there is no interval
    high: float
    p: float  # two-sided; at least 2 / (n_resamples + 1); NaN where there is no interval
    n: int


class Resampler:
    """Draws as many users as there are, with replacement; the same users and seed give the same draws."""

    def __init__(self, users: ArrayLike, n_resamples: int = 1000, seed: int = 0) -> None:
        names, self.codes = np.unique(np.asarray(users), return_inverse=True)  # [rows]
        self.n_users, self.n_resamples, self.seed = len(names), n_resamples, seed

    def batches(self) -> Iterator[np.ndarray]:
        """How often each user was drawn: float64 [at most BATCH, n_users], whole numbers."""
        rng = np.random.default_rng(self.seed)
        for first in range(0, self.n_resamples, BATCH):
            size = min(BATCH, self.n_resamples - first)
            counts = np.empty((size, self.n_users))
            for row in counts:
                drawn = rng.integers(self.n_users, size=self.n_users)
                row[:] = np.bincount(drawn, minlength=self.n_users)
            yield counts


@dataclass(frozen=True)
class Bootstrap:
    """Statistics of one scorer on all rows and on every resample of users.

    `values[name]` is float64 [1 + n_resamples]; place 0 is the estimate on all rows. Names: `auc`,
    `uauc`, `log_loss` and `brier` are means over periods of the value inside the period; `pooled_auc`
    compares rows across periods. A period in which a statistic is undefined is left out of its mean.
    """

    values: Mapping[str, np.ndarray]
    rows: Mapping[str, int]  # how many rows each statistic speaks for
    drawn_from: tuple[int, int, int]  # rows, users, seed: equal for paired bootstraps
    users: Mapping[str, int] | None = None  # how many users each statistic speaks for; None: enough

    def few(self, name: str) -> int | None:
        """The users of a statistic where they are too few for an interval; None where they are enough."""
        return self.users[name] if self.users is not None and self.users[name] < FEW_USERS else None

    def interval(self, name: str, level: float = 0.95) -> Interval:
        """Estimate and percentile interval; NaN where the statistic is undefined or users are too few."""
        low, high = self._percentiles(name, self.values[name][1:], level)
        return Interval(float(self.values[name][0]), low, high, self.rows[name])

    def minus(self, other: Bootstrap, name: str, level: float = 0.95) -> Difference:
        """This scorer minus another one on the same rows, users and draws."""
        if self.drawn_from != other.drawn_from or len(self.values[name]) != len(other.values[name]):
            raise DataError(
                "paired difference",
                f"(rows, users, seed) are {self.drawn_from} and {other.drawn_from}, with "
                f"{len(self.values[name]) - 1:,} and {len(other.values[name]) - 1:,} resamples",
                "two scorers on the same rows with the same draws.",
            )
        gap = self.values[name] - other.values[name]
        if not np.nanmax(np.abs(gap), initial=0.0) > 0:  # the same scores: no difference, however few the users
            return Difference(float(gap[0]), float(gap[0]), float(gap[0]), _two_sided(gap[1:]), self.rows[name])
        low, high = self._percentiles(name, gap[1:], level)
        p = _two_sided(gap[1:]) if low == low else float("nan")
        return Difference(float(gap[0]), low, high, p, self.rows[name])

    def _percentiles(self, name: str, draws: np.ndarray, level: float) -> tuple[float, float]:
        low, high = (float("nan"),) * 2 if self.few(name) is not None else _percentiles(draws, level)
        return (low, high) if high > low else (float("nan"), float("nan"))


def bootstrap(
    labels: ArrayLike,
    scores: ArrayLike,
    users: ArrayLike,
    periods: ArrayLike,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Bootstrap:
    """Every headline statistic of one scorer (log-odds), with users drawn across all periods.

    About 1 to 3 ms per resample of 100,000 rows. For several scorers run this once for each and take
    `interval` and `minus` from the results.
    """
    liked, numbers = checked(labels, scores)
    period = np.unique(np.asarray(periods), return_inverse=True)[1]
    resampler = Resampler(users, n_resamples, seed)
    user = resampler.codes
    same_length("bootstrap", labels=liked, users=user, periods=period)

    by_period = WeightedAuc(liked, numbers, user, period)
    pooled = WeightedAuc(liked, numbers, user, np.zeros_like(period))
    ratios, rows, users_of = _ratios(liked, numbers, user, period)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("auc", "pooled_auc", *ratios)}
    for counts in _all_users_first(resampler):
        found["auc"].append(np.array([_mean(by_period(row)) for row in counts]))
        found["pooled_auc"].append(np.array([_mean(pooled(row)) for row in counts]))
        for name, (above, below) in ratios.items():
            with np.errstate(invalid="ignore"):  # 0 / 0 = NaN: undefined in this period
                inside = (above @ counts.T) / (below @ counts.T)
            found[name].append(np.array([_mean(column) for column in inside.T]))
    values = {name: np.concatenate(parts) for name, parts in found.items()}
    rows |= {"auc": by_period.rows, "pooled_auc": pooled.rows}
    users_of |= {"auc": by_period.users, "pooled_auc": pooled.users}
    return Bootstrap(values, rows, (len(liked), resampler.n_users, seed), users_of)


def bootstrap_means(
    columns: Mapping[str, np.ndarray], users: ArrayLike, n_resamples: int = 1000, seed: int = 0
) -> Bootstrap:
    """Plain means of columns of numbers, one row each, with users drawn; names as in `columns`."""
    resampler = Resampler(users, n_resamples, seed)
    n, codes = len(resampler.codes), resampler.codes
    rows = np.bincount(codes, minlength=resampler.n_users)
    values = {}
    for name, column in columns.items():
        same_length("bootstrap", column=column, users=codes)
        sums = np.bincount(codes, weights=column, minlength=resampler.n_users)
        values[name] = np.concatenate([counts @ sums / (counts @ rows) for counts in _all_users_first(resampler)])
    return Bootstrap(
        values, dict.fromkeys(columns, n), (n, resampler.n_users, seed), dict.fromkeys(columns, resampler.n_users)
    )


def headline(
    labels: ArrayLike,
    scores: ArrayLike,
    users: ArrayLike,
    periods: ArrayLike,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % intervals of auc, pooled_auc, uauc, log_loss and brier of one scorer: see `Bootstrap`."""
    found = bootstrap(labels, scores, users, periods, n_resamples, seed)
    return {name: found.interval(name) for name in found.values}


def compare(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    users: ArrayLike,
    periods: ArrayLike,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """a minus b on the same rows and the same resamples, for each statistic: see `Bootstrap`."""
    a, b = (bootstrap(labels, scores, users, periods, n_resamples, seed) for scores in (scores_a, scores_b))
    return {name: a.minus(b, name) for name in a.values}


def holm(p_values: ArrayLike) -> np.ndarray:
    """P-values adjusted for how many there are, in the given order (Holm 1979); NaN stays NaN, uncounted."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


class WeightedAuc:
    """AUC inside each period when every row weighs as much as its user; ties one half, exact.

    Sorted once. After that a weighting is one cumulative sum over the rows that are not liked, read at
    the places where each liked row's ties begin and end.
    """

    def __init__(self, liked: np.ndarray, scores: np.ndarray, users: np.ndarray, periods: np.ndarray) -> None:
        liked_in, rows_in = np.bincount(periods[liked]), np.bincount(periods)
        liked_in = np.pad(liked_in, (0, len(rows_in) - len(liked_in)))
        kept = ((liked_in > 0) & (liked_in < rows_in))[periods]  # one class: never defined
        self.rows, self.users = int(kept.sum()), len(np.unique(users[kept]))

        order = np.flatnonzero(kept)
        order = order[np.lexsort((scores[order], periods[order]))]
        liked, period, user = liked[order], periods[order], users[order]
        start, end = tie_runs(period, scores[order])
        passed = np.concatenate([[0], np.cumsum(~liked)])  # rows not liked before each place
        self.below, self.up_to = passed[start[liked]], passed[end[liked]]
        self.liked_user, self.other_user = user[liked], user[~liked]
        self.first_liked, self.first_other = (_starts(period[side]) for side in (liked, ~liked))
        self.cumulated = np.zeros(len(self.other_user) + 1)

    def __call__(self, weight: np.ndarray) -> np.ndarray:
        """AUC per period that has both classes: float64; NaN where this weighting leaves one class only."""
        if not self.rows:
            return np.empty(0)
        total = self.cumulated
        np.cumsum(weight[self.other_user], out=total[1:])
        own = weight[self.liked_user]
        beaten = np.add.reduceat(own * (total[self.below] + total[self.up_to]), self.first_liked) / 2
        likes = np.add.reduceat(own, self.first_liked)
        others = np.diff(total[np.append(self.first_other, len(total) - 1)])
        with np.errstate(invalid="ignore"):  # 0 / 0 = NaN: one class only
            auc: np.ndarray = (beaten - likes * total[self.first_other]) / (likes * others)
        return auc


def _ratios(
    liked: np.ndarray, scores: np.ndarray, user: np.ndarray, period: np.ndarray
) -> tuple[dict[str, tuple[sparse.csr_array, sparse.csr_array]], dict[str, int], dict[str, int]]:
    """Statistics that are a sum over users divided by another: numerator and denominator [periods, users].

    Then how many rows and how many users each of them speaks for.
    """
    shape = (int(period.max(initial=-1)) + 1, int(user.max(initial=-1)) + 1)

    def sums(values: np.ndarray, at: tuple[np.ndarray, np.ndarray] = (period, user)) -> sparse.csr_array:
        return sparse.csr_array((values.astype(np.float64), at), shape=shape)  # repeated places add up

    cells = auc_by_group(liked, scores, period.astype(np.int64) * shape[1] + user)
    both = np.isfinite(cells.auc)
    size, place = cells.rows[both], np.divmod(cells.groups[both], max(shape[1], 1))
    rows = sums(np.ones(len(user)))
    ratios = {
        "uauc": (sums(size * cells.auc[both], place), sums(size, place)),
        "log_loss": (sums(row_log_loss(liked, scores)), rows),
        "brier": (sums(row_brier(liked, scores)), rows),
    }
    everybody = len(np.unique(user))
    return (
        ratios,
        {"uauc": int(size.sum()), "log_loss": len(user), "brier": len(user)},
        {"uauc": len(np.unique(place[1])), "log_loss": everybody, "brier": everybody},
    )


def _all_users_first(resampler: Resampler) -> Iterator[np.ndarray]:
    """Every user once (the estimate on all rows), then the resamples."""
    yield np.ones((1, resampler.n_users))
    yield from resampler.batches()


def _starts(sorted_codes: np.ndarray) -> np.ndarray:
    return np.unique(sorted_codes, return_index=True)[1]


def _mean(values: np.ndarray) -> float:
    """Mean of the defined values; NaN where there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.sum() / len(defined)) if len(defined) else float("nan")


def _percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _two_sided(gaps: np.ndarray) -> float:
    """Twice the share of resamples on the less frequent side of 0, counting the data itself as one."""
    gaps = gaps[~np.isnan(gaps)]
    if not len(gaps):
        return float("nan")
    rarer = min((gaps <= 0).sum(), (gaps >= 0).sum())
    return float(min(1.0, 2 * (1 + rarer) / (1 + len(gaps))))
