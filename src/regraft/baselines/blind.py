"""Fitting on columns that were computed as in service: before each period, by what was fitted before it.

A fitted column, such as a model's score, fits the rows it was fitted on better than any other row. A logistic that is
to use it must therefore see it on rows that it had not seen. Furniture of this room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from regraft.cost import Cost, measured
from regraft.data.stream import Stream

FIT_PERIODS = 3  # newest periods on which the logistic is fitted
KEPT = 16  # fits of one kind that stay with a log: those of the closes that contenders go through one after the other
Columns = Callable[[Stream, Stream], np.ndarray]  # (view, what was known before it) -> float64 [examples, columns]


def out_of_sample(past: Stream, columns: Columns) -> tuple[np.ndarray, Stream]:
    """(columns, examples) of the newest FIT_PERIODS periods, each with what was fitted before it."""
    present = np.unique(past.period[past.targets])
    blocks, views = [], []
    for period in present[1:][-FIT_PERIODS:]:
        view = past.in_periods(int(period), int(period))
        blocks.append(columns(view, past.until(int(period))))
        views.append(view.targets)
    if not blocks:  # one period only: what is fitted is judged on rows held out of it
        rest, held = past.hold_out(0.3)
        return columns(held, rest), held
    return np.concatenate(blocks), past.only(np.isin(past.targets, np.concatenate(views)))


class Kept(NamedTuple):
    """Something fitted, and what it took where another had it fitted: the work that was spared."""

    made: Any
    spared: Cost


def kept(past: Stream, key: tuple[Any, ...], make: Callable[[], Any]) -> Kept:
    """What `make` fits on this past; the last ones stay with the log, for the next close and contender."""
    fitted: dict[str, tuple[Any, Cost]] = past.shared.setdefault(key, {})
    if past.fingerprint in fitted:
        return Kept(*fitted[past.fingerprint])
    with measured() as cost:
        made = make()
    while len(fitted) >= KEPT:
        del fitted[next(iter(fitted))]
    fitted[past.fingerprint] = made, cost
    return Kept(made, Cost())
