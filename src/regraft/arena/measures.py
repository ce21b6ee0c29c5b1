"""From stored scores of one contender to its numbers: draws, curves, groups, tables by period, cost.

Headline rows come sorted by case, the same for every contender, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from regraft.arena.standings import NOT_MEASURED, Spent
from regraft.metrics.binary import auc_by_group
from regraft.metrics.by_period import (
    Mean,
    MetricMatrix,
    Staleness,
    backward_transfer,
    churn,
    forgetting,
    forward_transfer,
    harmonic_mean,
    learning_accuracy,
    metric_matrix,
    retained_accuracy,
    staleness,
)
from regraft.metrics.calibration import ece, ece_floor, reliability_curve
from regraft.metrics.groups import ITEM_GROUPS, LENGTH_GROUPS, USER_GROUPS, by_group, length_groups
from regraft.metrics.intervals import Bootstrap, Resampler, WeightedAuc, bootstrap

GROUPS = {"user": USER_GROUPS, "item": ITEM_GROUPS, "history": LENGTH_GROUPS}
BAND_DRAWS = 200  # resamples behind the bands by period and group, of which there are many


@dataclass(frozen=True)
class Rows:
    """Test rows in order of case, and the scores [rows] of each seed on them."""

    frame: pl.DataFrame  # case, period, user, label, user_group, item_group, history
    scores: Mapping[int, np.ndarray]

    @classmethod
    def of(cls, headline: pl.DataFrame, seeds: Sequence[int]) -> Rows:
        """From one contender's prequential scores; every seed holds the same cases."""
        parts = {seed: headline.filter(pl.col("seed") == seed).sort("case") for seed in seeds}
        return cls(parts[seeds[0]], {seed: part["score"].to_numpy() for seed, part in parts.items()})

    @property
    def labels(self) -> np.ndarray:
        return self.frame["label"].to_numpy()

    @property
    def users(self) -> np.ndarray:
        return self.frame["user"].to_numpy()

    @property
    def periods(self) -> np.ndarray:
        return self.frame["period"].to_numpy()

    def groups(self, kind: str) -> np.ndarray:
        """Name of each row's group."""
        if kind == "history":
            return length_groups(self.frame["history"].to_numpy())
        return self.frame[f"{kind}_group"].to_numpy()


def drawn(rows: Rows, n_resamples: int, seed: int) -> tuple[Bootstrap, list[float]]:
    """Statistics on every resample of users, averaged over seeds; and the mean AUC of each seed."""
    found = [
        bootstrap(rows.labels, scores, rows.users, rows.periods, n_resamples, seed)
        for scores in rows.scores.values()
    ]
    values = {name: np.mean([one.values[name] for one in found], axis=0) for name in found[0].values}
    return Bootstrap(values, found[0].rows, found[0].drawn_from), [float(one.values["auc"][0]) for one in found]


class Band(NamedTuple):
    """AUC inside each group, with the interval over resampled users; NaN where it is undefined."""

    names: list[str | int]
    rows: list[int]
    auc: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bands(rows: Rows, groupings: Mapping[str, np.ndarray], draws: int, seed: int) -> dict[str, Band]:
    """A Band per grouping of the rows, averaged over seeds before the interval is taken."""
    coded = {name: np.unique(member, return_inverse=True) for name, member in groupings.items()}
    resampler = Resampler(rows.users, draws, seed)
    liked = rows.labels.astype(bool)
    weighted = {
        (name, scorer): WeightedAuc(liked, scores, resampler.codes, code)
        for name, (_, code) in coded.items()
        for scorer, scores in rows.scores.items()
    }
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in coded}
    for weights in resampler.batches():
        for name in coded:
            scorers = [weighted[name, scorer] for scorer in rows.scores]
            drawn[name] += [np.mean([scorer(weight) for scorer in scorers], axis=0) for weight in weights]
    found = {}
    for name, (members, _) in coded.items():
        exact = [auc_by_group(rows.labels, scores, groupings[name]) for scores in rows.scores.values()]
        both = np.isfinite(exact[0].auc)
        low, high = np.full(len(members), np.nan), np.full(len(members), np.nan)
        if both.any():
            low[both], high[both] = np.nanquantile(drawn[name], [0.025, 0.975], axis=0)
        mean = np.mean([one.auc for one in exact], axis=0)
        found[name] = Band(members.tolist(), exact[0].rows.tolist(), mean, low, high)
    return found


def bands_by_period_and_group(rows: Rows, draws: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(periods, groups): see `Summary`, without the contender's name."""
    groupings = {"period": rows.periods, **{kind: rows.groups(kind) for kind in GROUPS}}
    found = bands(rows, groupings, min(draws, BAND_DRAWS), seed)
    by_period = found["period"]
    periods = pl.DataFrame(
        {
            "period": by_period.names,
            "n": by_period.rows,
            "auc": by_period.auc,
            "low": by_period.low,
            "high": by_period.high,
        }
    )
    # UAUC compares rows of one user in one period only, so a user counts anew in every period.
    user_in_period = rows.users.astype(np.int64) * (int(rows.periods.max()) + 1) + rows.periods
    tables = []
    for kind, order in GROUPS.items():
        each = [
            by_group(rows.labels, scores, user_in_period, groupings[kind], order)
            for scores in rows.scores.values()
        ]
        numbers = pl.concat(each).group_by("group", maintain_order=True).mean()
        people = (
            pl.DataFrame({"group": groupings[kind], "user": rows.users})
            .group_by("group")
            .agg(users=pl.col("user").n_unique())
        )
        band = found[kind]
        interval = pl.DataFrame({"group": band.names, "low": band.low, "high": band.high})
        tables.append(
            numbers.drop("users", "uauc_n")
            .join(people, on="group", how="left", maintain_order="left")
            .join(interval, on="group", how="left", maintain_order="left")
            .select(pl.lit(kind).alias("kind"), "group", pl.col("n").cast(pl.Int64), pl.col("users").fill_null(0))
            if False
            else numbers.drop("users", "uauc_n")
            .join(people, on="group", how="left", maintain_order="left")
            .join(interval, on="group", how="left", maintain_order="left")
            .with_columns(pl.lit(kind).alias("kind"), pl.col("n").cast(pl.Int64), pl.col("users").fill_null(0))
        )
    return periods, pl.concat(tables)
