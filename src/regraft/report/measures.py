"""From one contender's prequential scores to its numbers: draws, bands by period and group, calibration.

Rows come in order of case, the same for every contender, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np
import polars as pl

from regraft.metrics.binary import auc_by_group
from regraft.metrics.calibration import ece, ece_floor, reliability_curve
from regraft.metrics.groups import (
    COUNT_GROUPS,
    ITEM_GROUPS,
    LENGTH_GROUPS,
    USER_GROUPS,
    by_group,
    count_groups,
    length_groups,
)
from regraft.metrics.intervals import FEW_USERS, Bootstrap, Resampler, WeightedAuc, bootstrap

GROUPS = {"user": USER_GROUPS, "item": ITEM_GROUPS, "item_count": COUNT_GROUPS, "history": LENGTH_GROUPS}
BAND_DRAWS = 200  # resamples behind the bands by period and group, of which there are many
BINS = 15


@dataclass(frozen=True)
class Rows:
    """Test rows in order of case, and the log-odds of each seed on them."""

    frame: pl.DataFrame  # case, period, user, label, user_group, item_group, history, item_count
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

    @property
    def kinds(self) -> list[str]:
        """Kinds of groups that the run knows of; older runs do not know how many rows an item had."""
        return [kind for kind in GROUPS if kind != "item_count" or not self.frame["item_count"].null_count()]

    def groups(self, kind: str) -> np.ndarray:
        """Name of each row's group."""
        if kind == "history":
            return length_groups(self.frame["history"].to_numpy())
        if kind == "item_count":
            return count_groups(self.frame["item_count"].to_numpy())
        return self.frame[f"{kind}_group"].to_numpy()


def drawn(rows: Rows, n_resamples: int, seed: int) -> tuple[Bootstrap, list[float]]:
    """Statistics on every resample of users, averaged over seeds; and the mean AUC of each seed."""
    each = [
        bootstrap(rows.labels, scores, rows.users, rows.periods, n_resamples, seed) for scores in rows.scores.values()
    ]
    values = {name: np.mean([one.values[name] for one in each], axis=0) for name in each[0].values}
    return replace(each[0], values=values), [float(one.values["auc"][0]) for one in each]


class Band(NamedTuple):
    """AUC inside each group, averaged over seeds, with its interval; NaN where it is undefined or users are few."""

    names: list[str | int]
    rows: list[int]
    auc: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bands(rows: Rows, groupings: Mapping[str, np.ndarray], draws: int, seed: int) -> dict[str, Band]:
    """One Band per grouping of the rows; all of them see the same resamples of users."""
    coded = {name: np.unique(member, return_inverse=True) for name, member in groupings.items()}
    resampler = Resampler(rows.users, draws, seed)
    liked = rows.labels.astype(bool)
    scorers = {
        name: [WeightedAuc(liked, scores, resampler.codes, code) for scores in rows.scores.values()]
        for name, (_, code) in coded.items()
    }
    values: dict[str, list[np.ndarray]] = {name: [] for name in coded}
    for weights in resampler.batches():
        for name, found in values.items():
            found += [np.mean([scorer(weight) for scorer in scorers[name]], axis=0) for weight in weights]
    return {name: _band(rows, groupings[name], np.array(values[name])) for name in groupings}


def _band(rows: Rows, groups: np.ndarray, values: np.ndarray) -> Band:
    """`values` [draws, groups that have both classes]."""
    exact = [auc_by_group(rows.labels, scores, groups) for scores in rows.scores.values()]
    both = np.isfinite(exact[0].auc)
    low, high = np.full(len(both), np.nan), np.full(len(both), np.nan)
    for place, column in zip(np.flatnonzero(both), values.T, strict=True):
        defined = column[~np.isnan(column)]
        members = len(np.unique(rows.users[groups == exact[0].groups[place]]))
        if defined.size and members >= FEW_USERS and np.ptp(defined) > 0:
            low[place], high[place] = np.quantile(defined, [0.025, 0.975])
    auc = np.mean([one.auc for one in exact], axis=0)
    return Band(exact[0].groups.tolist(), exact[0].rows.tolist(), auc, low, high)


def by_period_and_group(rows: Rows, draws: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(period, n, auc, low, high) and (kind, group, n, users, like_rate, auc, low, high, uauc, log_loss)."""
    groupings = {"period": rows.periods, **{kind: rows.groups(kind) for kind in rows.kinds}}
    found = bands(rows, groupings, min(draws, BAND_DRAWS), seed)
    period = found["period"]
    periods = pl.DataFrame(
        {"period": period.names, "n": period.rows, "auc": period.auc, "low": period.low, "high": period.high}
    )
    return periods, pl.concat(_group_table(rows, kind, groupings[kind], found[kind]) for kind in rows.kinds)


def _group_table(rows: Rows, kind: str, groups: np.ndarray, band: Band) -> pl.DataFrame:
    # UAUC compares rows of one user inside one period, so a user counts anew in every period.
    visits = rows.users.astype(np.int64) * (int(rows.periods.max()) + 1) + rows.periods
    each = [by_group(rows.labels, scores, visits, groups, GROUPS[kind]) for scores in rows.scores.values()]
    people = pl.DataFrame({"group": groups, "user": rows.users}).group_by("group").agg(pl.col("user").n_unique())
    interval = pl.DataFrame({"group": band.names, "low": band.low, "high": band.high})
    return (
        pl.concat(each)
        .group_by("group", maintain_order=True)
        .mean()
        .join(people, on="group", how="left", maintain_order="left")
        .join(interval, on="group", how="left", maintain_order="left")
        .select(
            pl.lit(kind).alias("kind"),
            "group",
            pl.col("n").cast(pl.Int64),
            pl.col("user").fill_null(0).cast(pl.Int64).alias("users"),
            "like_rate",
            "auc",
            pl.col("low", "high").fill_null(float("nan")),
            "uauc",
            "log_loss",
        )
    )


def by_group_drawn(rows: Rows, kinds: Sequence[str], draws: int, seed: int) -> tuple[Bootstrap, list[tuple[str, str]]]:
    """AUC inside every group on every resample of users, as statistics named "KIND GROUP"; and those (kind, group)."""
    resampler = Resampler(rows.users, draws, seed)
    liked = rows.labels.astype(bool)
    values: dict[str, np.ndarray] = {}
    n: dict[str, int] = {}
    users: dict[str, int] = {}
    groups = []
    for kind in kinds:
        member = rows.groups(kind)
        names, code = np.unique(member, return_inverse=True)
        both = [name for name in names if 0 < liked[member == name].mean() < 1]
        scorers = [WeightedAuc(liked, scores, resampler.codes, code) for scores in rows.scores.values()]
        weightings = chain([np.ones((1, resampler.n_users))], resampler.batches())
        drawn = [np.mean([scorer(weight) for scorer in scorers], axis=0) for batch in weightings for weight in batch]
        for name, column in zip(both, np.array(drawn).T, strict=True):
            statistic = f"{kind} {name}"
            values[statistic], n[statistic] = column, int((member == name).sum())
            users[statistic] = len(np.unique(rows.users[member == name]))
            groups.append((kind, str(name)))
    return Bootstrap(values, n, (len(liked), resampler.n_users, seed), users), groups


def calibration(rows: Rows, seed: int) -> tuple[float, float, pl.DataFrame]:
    """ECE and its noise floor, averaged over seeds; and the first seed's curve: predicted, observed, rows."""
    rng = np.random.default_rng(seed)
    pairs = [(ece(rows.labels, scores, BINS), ece_floor(scores, BINS, 100, rng)) for scores in rows.scores.values()]
    measured, floor = np.mean(pairs, axis=0)
    curve = reliability_curve(rows.labels, next(iter(rows.scores.values())), BINS)
    return float(measured), float(floor), pl.DataFrame(curve._asdict())
