"""The frame that a pilot is analysed from: one row per user whose window ended.

uid       str
arm       "control" or "treatment" (not in a frame of the past)
entered   int, ms since 1970 UTC: when the user was first exposed
segment   str or null
M         float, one column per metric: the user's value in the window;
M_num, M_den   instead of M where the metric is a ratio of sums, e.g. clicks and impressions
M_before  float, null where nothing is known: the same number from before exposure; may be absent
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from regraft.errors import DataError

ARMS = ("control", "treatment")


class Values(NamedTuple):
    """One metric of some users."""

    top: np.ndarray  # float64 [users]
    bottom: np.ndarray | None  # of a ratio; None: the metric is the mean of `top`
    before: np.ndarray | None  # what is expected of each user from before exposure alone; None: nothing is known


def check(people: pl.DataFrame, metrics: Sequence[str], arms: bool = True) -> None:
    """Refuses a frame that cannot be analysed."""
    needed = ["uid", "entered", *(["arm"] if arms else [])]
    missing = [name for name in needed if name not in people.columns]
    missing += [m for m in metrics if m not in people.columns and not {f"{m}_num", f"{m}_den"} <= set(people.columns)]
    if missing:
        raise DataError("people", f"has no column {', '.join(missing)}", "the columns of regraft.pilot.people")
    if twice := people.height - people["uid"].n_unique():
        raise DataError("people", f"{twice:,} rows repeat a user", "one row per user, each in one arm")
    if arms and (strange := sorted(set(people["arm"].unique().to_list()) - set(ARMS), key=str)):
        raise DataError("people", f"has the arm {strange[0]!r}", " or ".join(ARMS))
    for name in (c for m in metrics for c in (m, f"{m}_num", f"{m}_den") if c in people.columns):
        if bad := people.height - int(people[name].cast(pl.Float64).is_finite().sum()):
            raise DataError("people", f"{bad:,} values of {name} are missing or not finite", "one number per user")


def values(people: pl.DataFrame, metric: str) -> Values:
    """A metric with its covariate, fitted on these users without looking at their arms."""
    if f"{metric}_num" in people.columns:
        top, bottom = (people[f"{metric}_{part}"].cast(pl.Float64).to_numpy() for part in ("num", "den"))
    else:
        top, bottom = people[metric].cast(pl.Float64).to_numpy(), None
    return Values(top, bottom, _expected(linear(top, bottom), people, metric))


def linear(top: np.ndarray, bottom: np.ndarray | None) -> np.ndarray:
    """A number per user whose mean moves as the metric does: (top - ratio bottom) / mean bottom (delta method)."""
    if bottom is None:
        return top
    below = bottom.mean() if len(bottom) else 0.0
    return (top - top.mean() / below * bottom) / below if below > 0 else np.zeros_like(top)


def _expected(value: np.ndarray, people: pl.DataFrame, metric: str) -> np.ndarray | None:
    """Least squares on the number from before and an indicator of those who have none (at the mean of the others)."""
    if f"{metric}_before" not in people.columns:
        return None
    before = people[f"{metric}_before"].cast(pl.Float64).fill_nan(None)
    known = before.is_not_null().to_numpy()
    if not known.any():
        return None
    filled = before.fill_null(before.mean()).to_numpy()
    columns = np.column_stack([np.ones(len(filled)), filled - filled.mean(), ~known])
    return columns @ np.linalg.lstsq(columns, value, rcond=None)[0]
