"""How well log-odds tell liked from not liked: AUC, UAUC, log-loss, Brier, and CTR for served logs.

Labels are 1 (liked) or 0, scores are log-odds, one per row. A missing score is an error, never a
dropped row: two contenders are comparable only on the same rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from regraft.errors import DataError


class GroupAuc(NamedTuple):
    """AUC inside each group, in ascending order of the group's name."""

    groups: np.ndarray
    auc: np.ndarray  # float64; NaN where a group has one class only
    rows: np.ndarray  # int64
    positives: np.ndarray  # int64


class Uauc(NamedTuple):
    """AUC inside users, and how much of the data it speaks for."""

    value: float  # NaN where no user has both classes
    users_used: int
    rows_used: int
    share_of_users: float
    share_of_rows: float


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Labels as bool and scores as float64, or a DataError that says which rows cannot be measured."""
    given, numbers = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if given.ndim != 1 or given.shape != numbers.shape:
        raise DataError(
            "metric",
            f"found labels of shape {given.shape} and scores of shape {numbers.shape}",
            "one label and one score per row.",
        )
    strange = np.flatnonzero((given != 0) & (given != 1))
    if strange.size:
        raise DataError(
            "metric",
            f"row {strange[0]} has label {given[strange[0]]!s}",
            f"1 or 0. {strange.size:,} of {given.size:,} rows are like this.",
            "Turn values into labels first, with a rule such as 'rating > 3'.",
        )
    broken = np.flatnonzero(~np.isfinite(numbers))
    if broken.size:
        raise DataError(
            "metric",
            f"row {broken[0]} has score {numbers[broken[0]]}",
            f"a finite log-odds. {broken.size:,} of {given.size:,} rows are like this.",
            "Rows are never dropped: give every case a score, for instance that of the base rate.",
        )
    return given.astype(bool), numbers


def same_length(where: str, **columns: np.ndarray) -> None:
    """DataError unless all columns have as many rows as the first one."""
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{size:,} {name}" for name, size in sizes.items())
        raise DataError(where, f"found {found}", "as many of each: one per row.")


def tie_runs(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and exclusive end of the run of equal keys that each row of sorted columns lies in."""
    size = len(keys[0])
    new = np.ones(size, dtype=bool)
    if size:
        new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    starts = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    return starts[run], np.append(starts[1:], size)[run]


def auc_by_group(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> GroupAuc:
    """AUC inside every group at once: one sort, no loop over groups. Ties count one half."""
    liked, numbers = checked(labels, scores)
    members = np.asarray(groups)
    same_length("metric", labels=liked, groups=members)
    names, code = np.unique(members, return_inverse=True)
    rows = np.bincount(code, minlength=len(names))
    positives = np.bincount(code[liked], minlength=len(names))

    order = np.lexsort((numbers, code))
    code, liked = code[order], liked[order]
    start, end = tie_runs(code, numbers[order])
    rank = (start + end + 1) / 2 - (np.cumsum(rows) - rows)[code]  # 1-based inside the group
    rank_sum = np.bincount(code[liked], weights=rank[liked], minlength=len(names))

    won = rank_sum - positives * (positives + 1) / 2
    pairs = positives * (rows - positives)
    auc = np.divide(won, pairs, out=np.full(len(names), np.nan), where=pairs > 0)
    return GroupAuc(names, auc, rows, positives)


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Chance that a liked row scores above one that is not; a tie counts one half.

    0 to 1, higher is better, 0.5 = no information. NaN where only one class is present.

    >>> auc([1, 0, 1, 0], [0.9, 0.1, 0.4, 0.4])
    0.875
    """
    found = auc_by_group(labels, scores, np.zeros(np.size(labels), dtype=np.int64))
    return float(found.auc[0]) if found.auc.size else float("nan")


def uauc(labels: ArrayLike, scores: ArrayLike, users: ArrayLike, unweighted: bool = False) -> Uauc:
    """AUC inside users: sum_u n_u AUC_u / sum_u n_u over the users with both classes (also called GAUC).

    n_u counts all rows of user u; `unweighted` counts every user once. 0 to 1, higher is better.
    Pass the rows of one period. A score that is constant inside users gets 0.5.
    """
    found = auc_by_group(labels, scores, users)
    both = np.isfinite(found.auc)
    used, rows = int(both.sum()), int(found.rows[both].sum())
    if not used:
        return Uauc(float("nan"), 0, 0, 0.0, 0.0)
    weights = None if unweighted else found.rows[both]
    value = float(np.average(found.auc[both], weights=weights))
    return Uauc(value, used, rows, used / len(both), rows / int(found.rows.sum()))


def row_log_loss(liked: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """-log p(label) of each row in nats, straight from log-odds: exact where p itself would round to 1."""
    losses: np.ndarray = np.logaddexp(0.0, np.where(liked, -log_odds, log_odds))
    return losses


def row_brier(liked: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """(p - label)^2 of each row."""
    squares: np.ndarray = expit(np.where(liked, -log_odds, log_odds)) ** 2
    return squares


def log_loss(labels: ArrayLike, log_odds: ArrayLike) -> float:
    """Mean of -log p(label) in nats; 0 or more, lower is better, log 2 = a coin. NaN without rows."""
    liked, numbers = checked(labels, log_odds)
    return float(row_log_loss(liked, numbers).mean()) if liked.size else float("nan")


def brier(labels: ArrayLike, log_odds: ArrayLike) -> float:
    """Mean of (p - label)^2; 0 to 1, lower is better, 0.25 = a coin. NaN without rows."""
    liked, numbers = checked(labels, log_odds)
    return float(row_brier(liked, numbers).mean()) if liked.size else float("nan")


def ctr(clicks: int, impressions: int) -> float:
    """Clicks per impression, 0 to 1; NaN where nothing was shown.

    Only for what was really shown (served logs, simulated worlds): a log of ratings has no impressions.
    """
    if not 0 <= clicks <= impressions:
        raise DataError(
            "click-through rate",
            f"found {clicks:,} clicks on {impressions:,} impressions",
            "between 0 and one click per impression.",
            "Count an impression as clicked at most once.",
        )
    return clicks / impressions if impressions else float("nan")
