"""Long term: how long people stay, and what they are worth meanwhile. `people` is what `lives` gives.

A person is gone from the day after their last activity on, once `quiet` days have passed without any. Nothing is
known yet about the last `quiet` days, so observation ends before them: who was active since then is censored there,
at a time that does not depend on the person, as Kaplan and Meier ask.
"""

from __future__ import annotations

from datetime import date, timedelta
from warnings import catch_warnings

import numpy as np
import polars as pl

from regraft.metrics.estimate import LEVEL, NAN, NOTHING, Estimate, Z
from regraft.metrics.intervals import FEW_USERS, Resampler

HORIZON = 28  # days
BUCKETS = 2000  # more people than these are resampled in as many groups, drawn as a whole
CURVE = pl.Schema({"after": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64})


def lives(days: pl.DataFrame, until: date, quiet: int) -> pl.DataFrame:
    """One row per person: `uid`, `stayed` (days, the first one is 1), `gone`, `worth` (earned while they stayed).

    `days`: `uid`, `day` and `worth` per person and day with activity, up to `until`. The first silence of `quiet` days
    ends a stay; who comes back later counts as gone still.
    """
    end = until - timedelta(days=quiet)  # last day of which it is known whether somebody is still there
    ordered = days.sort("uid", "day").with_columns(
        pause=(pl.col("day").shift(-1).over("uid") - pl.col("day")).dt.total_days(),
        first=pl.col("day").min().over("uid"),
    )
    stops = (pl.col("pause").is_null() | (pl.col("pause") > quiet)) & (pl.col("day") <= end)
    last = pl.col("day").filter(stops).min().over("uid")
    marked = ordered.filter(pl.col("first") <= end).with_columns(last=last)
    stay_ends = pl.col("last").fill_null(end)
    return marked.group_by("uid", maintain_order=True).agg(
        stayed=(stay_ends - pl.col("first")).first().dt.total_days() + 1,
        gone=pl.col("last").is_not_null().first(),
        worth=pl.col("worth").filter(pl.col("day") <= stay_ends).sum(),
    )


def staying(people: pl.DataFrame, horizon: int = HORIZON) -> pl.DataFrame:
    """S(d), the chance to be there d days after the first one still, for d = 0 to 28 days.

    Kaplan-Meier with log-log bands (SciPy `ecdf` of CensoredData). A person is gone from the day after their last
    activity on, once `measures.quiet` days have passed without any; of these last days nothing is known yet, so that
    observation ends before them. The curve ends where nobody has been observed for so long; n: people at risk.
    """
    from scipy.stats import CensoredData, ecdf  # most of a second, that most commands need not wait

    if not len(people):
        return pl.DataFrame(schema=CURVE)
    stayed, gone = people["stayed"].to_numpy(), people["gone"].to_numpy()
    longest = int(stayed.max()) if not gone.all() else horizon
    after = np.arange(min(horizon, longest) + 1)
    curve = ecdf(CensoredData(uncensored=stayed[gone], right=stayed[~gone])).sf
    low = high = np.full(len(after), NAN)
    if len(people) >= FEW_USERS and gone.any():
        with catch_warnings(action="ignore", category=RuntimeWarning):  # no band where nobody has left, or all have
            band = curve.confidence_interval(LEVEL, method="log-log")
        low, high = band.low.evaluate(after), band.high.evaluate(after)
    value = curve.evaluate(after)
    risk = [int((stayed > d).sum()) for d in after]
    return pl.DataFrame({"after": after, "value": value, "low": low, "high": high, "n": risk}, schema=CURVE)


def lifetime_value(people: pl.DataFrame, horizon: int = HORIZON, resamples: int = 500, seed: int = 0) -> Estimate:
    """Worth of a person in the first 28 days: sum over d <= 28 of S(d) x worth per day of stay.

    In the unit of `measures.worth` (empty: days with activity); NaN, "too early", where nobody has been observed for
    28 days. Interval: whole people are drawn with replacement. A proxy: nothing is said of what comes after.
    """
    n = len(people)
    if not n:
        return NOTHING
    if not people["gone"].all() and int(people["stayed"].to_numpy().max()) <= horizon:
        return Estimate(NAN, NAN, NAN, n)
    groups = min(n, BUCKETS)
    grouped, resampler = _sums(people, groups, horizon), Resampler(np.arange(groups), resamples, seed)
    value = float(_worth(grouped.sum(axis=0, keepdims=True), horizon)[0, -1])
    if n < FEW_USERS:
        return Estimate(value, NAN, NAN, n)
    drawn = np.concatenate([_worth(counts @ grouped, horizon)[:, -1] for counts in resampler.batches()])
    width = Z * float(np.std(drawn))
    return Estimate(value, max(value - width, 0.0), value + width, n)


def gain_so_far(
    control: pl.DataFrame, treatment: pl.DataFrame, horizon: int = HORIZON, resamples: int = 500, seed: int = 0
) -> pl.DataFrame:  # fmt: skip
    """Worth of a person up to d days after the first one, treatment minus control, for d = 0 to 28.

    Of each arm the sum over the days up to d of S(d) x worth per day of stay, as lifetime_value has it. The curve ends
    where nobody of an arm has been observed for so long. Interval of each day: whole people are drawn with
    replacement, in each arm apart; n: people of the smaller arm.
    """
    arms = (control, treatment)
    n = min(map(len, arms))
    if not n:
        return pl.DataFrame(schema=CURVE)
    longest = min(horizon, *(horizon if own["gone"].all() else int(own["stayed"].max()) for own in arms))  # type: ignore[arg-type]
    before, after = (_drawn(own, horizon, resamples, seed + k) for k, own in enumerate(arms))
    gain = (after - before)[:, : longest + 1]
    width = Z * np.std(gain[1:], axis=0) if n >= FEW_USERS else np.full(longest + 1, NAN)
    ends = {"low": gain[0] - width, "high": gain[0] + width}
    return pl.DataFrame({"after": range(longest + 1), "value": gain[0], **ends, "n": n}, schema=CURVE)


def lifetime_gain(curve: pl.DataFrame, horizon: int = HORIZON) -> Estimate:
    """Worth of a person in the first 28 days, treatment minus control: where the curve of gain_so_far ends.

    NaN, "too early", until somebody of each arm has been observed for 28 days. A proxy, as lifetime_value is.
    Interval: whole people are drawn with replacement, in each arm apart; n: people of the smaller arm.
    """
    last = curve.filter(pl.col("after") == horizon)
    if len(last):
        return Estimate(*last.select("value", "low", "high", "n").row(0))
    return Estimate(NAN, NAN, NAN, int(curve["n"].max() or 0))  # type: ignore[arg-type]


def _drawn(people: pl.DataFrame, horizon: int, resamples: int, seed: int) -> np.ndarray:
    """[1 + resamples, horizon + 1] worth up to each day: of the people as they are, then of drawn ones."""
    groups = min(len(people), BUCKETS)
    grouped, resampler = _sums(people, groups, horizon), Resampler(np.arange(groups), resamples, seed)
    drawn = (_worth(counts @ grouped, horizon) for counts in resampler.batches())
    return np.concatenate([_worth(grouped.sum(axis=0, keepdims=True), horizon), *drawn])


def _sums(people: pl.DataFrame, groups: int, horizon: int) -> np.ndarray:
    """[groups, 2 (horizon + 2) + 2] that add up: gone after t days, observed for t days, worth, days of stay."""
    stayed, gone, worth = (people[name].to_numpy() for name in ("stayed", "gone", "worth"))
    group, size = np.arange(len(stayed)) % groups, horizon + 2
    at = group * size + np.minimum(stayed, horizon + 1)
    left = at[gone & (stayed <= horizon)]
    counts = [np.bincount(places, minlength=groups * size).reshape(groups, size) for places in (left, at)]
    totals = [np.bincount(group, weights=weights, minlength=groups)[:, None] for weights in (worth, stayed)]
    return np.concatenate([*counts, *totals], axis=1, dtype=np.float64)


def _worth(sums: np.ndarray, horizon: int) -> np.ndarray:
    """[rows, horizon + 1] worth up to each day, of every row of summed cells: Kaplan-Meier x worth per day of stay."""
    size = horizon + 2
    gone, ended = sums[:, :size], sums[:, size : 2 * size]
    at_risk = np.cumsum(ended[:, ::-1], axis=1)[:, ::-1]  # observed for t days or longer
    left = np.divide(gone, at_risk, out=np.zeros_like(gone), where=at_risk > 0)
    still = np.cumprod(1.0 - left, axis=1)[:, : horizon + 1]
    per_day = sums[:, -2:-1] / sums[:, -1:]
    worth: np.ndarray = per_day * np.cumsum(still, axis=1)
    return worth
