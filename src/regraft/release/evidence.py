"""What the gate looks at: a day's rows beside earlier days, and a new version's scores beside the champion's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from regraft.metrics.intervals import Difference, compare

Outcome = Literal["pass", "hold", "keep"]  # keep: the version in service stays; hold: a person decides
MAD = 1.4826  # median absolute deviation of a normal distribution to its standard deviation
DRAWS = 500


@dataclass(frozen=True)
class Finding:
    """What a check found, in words that a person can decide by."""

    check: str
    outcome: Outcome
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Day:
    """Rows of the period that is about to be closed.

    `rows`: the schema of data.store.STORED and `label`. `earlier`: one row per earlier accepted day, oldest first,
    with the columns of `day_numbers`. `new_rows` and `already_there` are those of the batches that came with it.
    """

    rows: pl.DataFrame
    earlier: pl.DataFrame
    new_rows: int = 0
    already_there: int = 0
    begins: int = 0  # ms
    ends: int = 0

    @property
    def numbers(self) -> dict[str, float]:
        return day_numbers(self.rows)


@dataclass(frozen=True)
class Judged:
    """Rows that nothing was trained on, scored by the champion and by the version that would replace it."""

    labels: np.ndarray
    users: np.ndarray
    periods: np.ndarray
    newest: int  # number of the period just closed
    old: np.ndarray  # log-odds of the champion
    new: np.ndarray
    groups: np.ndarray  # name of each row's user group, as of the cut before
    cost: Mapping[str, float] = field(default_factory=dict)

    def difference(self, rows: np.ndarray) -> Difference:
        """AUC of the new version minus the champion's on the rows (a mask), with the interval over users."""
        return compare(self.labels[rows], self.new[rows], self.old[rows], self.users[rows], self.periods[rows], DRAWS)[
            "auc"
        ]


class Check(Protocol):
    """One file of release/checks; its settings are those under `gate: NAME:` in regraft.yaml."""

    when: ClassVar[Literal["before", "after"]]

    def look(self, evidence: Day | Judged) -> Finding:
        """What it found; ready to be read by a person."""


class Limits(BaseModel):
    """Base of a check's settings: unknown names and wrong values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def day_numbers(rows: pl.DataFrame) -> dict[str, float]:
    """Numbers of one day that are compared with earlier days."""
    n = max(len(rows), 1)
    hours = rows["time"].dt.hour().n_unique() if len(rows) else 0
    return {
        "rows": float(len(rows)),
        "users": float(rows["uid"].n_unique()),
        "items": float(rows["item_id"].n_unique()),
        "liked": float(rows["label"].sum() or 0) / n,
        "late": float((rows["known_at"] > rows["time"]).sum()) / n,
        "hours": float(hours),
        "top_users": _top(rows["uid"]),
        "top_item": _top(rows["item_id"], 0.0),
    }


def _top(names: pl.Series, share: float = 0.01) -> float:
    """Share of the rows that carry one of the most frequent names: 1 % of all names, one at least."""
    if not len(names):
        return 0.0
    counts = names.value_counts(sort=True)["count"]
    return float(counts.head(max(1, round(share * len(counts)))).sum() / len(names))


def deviations(value: float, earlier: pl.Series, floor: float) -> tuple[float, float]:
    """(how many robust standard deviations `value` lies from the median of earlier days, that median).

    A deviation counts as at least `floor`: on a few quiet days it could be next to nothing.
    """
    if not len(earlier):
        return 0.0, float("nan")
    middle = float(earlier.median())  # type: ignore[arg-type]
    spread = max(MAD * float((earlier - middle).abs().median()), floor)  # type: ignore[arg-type]
    return (value - middle) / spread, middle
