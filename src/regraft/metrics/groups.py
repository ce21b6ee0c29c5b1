"""Who gains and who loses: test rows by what was known about their user and item at the cut.

The past is every row before the cut that really happened, with its period number; `newest` is the
number of the last period before the cut. Codes are whole numbers from 0, the same in past and test.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from regraft.errors import DataError
from regraft.metrics.binary import auc, checked, log_loss, same_length, uauc

USER_GROUPS = ("new", "dormant", "continuing")
ITEM_GROUPS = ("cold", "new", "warm")
LENGTH_GROUPS = ("0", "1-4", "5-19", "20-99", "100+")
COUNT_GROUPS = ("0", "1-9", "10-49", "50+")

BY_GROUP = pl.Schema(
    {
        "group": pl.String,
        "n": pl.Int64,
        "users": pl.Int64,
        "like_rate": pl.Float64,
        "auc": pl.Float64,
        "uauc": pl.Float64,
        "uauc_n": pl.Int64,
        "log_loss": pl.Float64,
    }
)

NEVER = np.iinfo(np.int64).min


def user_groups(
    users: ArrayLike, past_users: ArrayLike, past_periods: ArrayLike, newest: int, recent: int = 1
) -> np.ndarray:
    """One of USER_GROUPS per test row.

    new: no event before the cut; continuing: at least one in the last `recent` periods (those after
    `newest - recent`); dormant: events, but only older ones.
    """
    if recent < 1:
        raise DataError("user groups", f"found recent = {recent}", "1 or more periods.")
    codes, past, periods = _codes("user", users, past_users, past_periods, newest)
    last = np.full(_size(codes, past), NEVER)
    np.maximum.at(last, past, periods)
    seen = last[codes]
    return np.select([seen == NEVER, seen <= newest - recent], USER_GROUPS[:2], USER_GROUPS[2])


def item_groups(items: ArrayLike, past_items: ArrayLike, past_periods: ArrayLike, newest: int) -> np.ndarray:
    """One of ITEM_GROUPS per test row: cold = no row before the cut, new = first row in `newest`, or warm."""
    codes, past, periods = _codes("item", items, past_items, past_periods, newest)
    first = np.full(_size(codes, past), newest + 1)
    np.minimum.at(first, past, periods)
    seen = first[codes]
    return np.select([seen > newest, seen == newest], ITEM_GROUPS[:2], ITEM_GROUPS[2])


def length_groups(lengths: ArrayLike) -> np.ndarray:
    """One of LENGTH_GROUPS per test row, from how many events of its user were known."""
    known = np.asarray(lengths)
    if (known < 0).any():
        raise DataError("length groups", f"found a history of {known.min()} events", "0 or more.")
    names: np.ndarray = np.array(LENGTH_GROUPS)[np.digitize(known, [1, 5, 20, 100])]
    return names


def count_groups(counts: ArrayLike) -> np.ndarray:
    """One of COUNT_GROUPS per test row, from how many earlier rows of its item were known."""
    known = np.asarray(counts)
    if (known < 0).any():
        raise DataError("count groups", f"found an item with {known.min()} earlier rows", "0 or more.")
    names: np.ndarray = np.array(COUNT_GROUPS)[np.digitize(known, [1, 10, 50])]
    return names


def by_group(
    labels: ArrayLike,
    scores: ArrayLike,
    users: ArrayLike,
    groups: ArrayLike,
    order: Sequence[str] = (),
) -> pl.DataFrame:
    """One row per group: group, n, users, like_rate, auc, uauc, uauc_n, log_loss.

    AUC compares all rows of the group; uauc_n is the number of rows of its users with both classes. What
    is undefined is NaN, and its group stays. Groups come as in `order` (also the empty ones), then the others
    by name. For intervals call `regraft.metrics.intervals.headline` on the rows of one group.
    """
    liked, numbers = checked(labels, scores)
    member, user = np.asarray(groups).astype(str), np.asarray(users)
    same_length("table by group", labels=liked, users=user, groups=member)
    rows = []
    for name in [*order, *(name for name in np.unique(member).tolist() if name not in order)]:
        here = member == name
        inside = uauc(liked[here], numbers[here], user[here])
        rows.append(
            {
                "group": name,
                "n": int(here.sum()),
                "users": len(np.unique(user[here])),
                "like_rate": float(liked[here].mean()) if here.any() else float("nan"),
                "auc": auc(liked[here], numbers[here]),
                "uauc": inside.value,
                "uauc_n": inside.rows_used,
                "log_loss": log_loss(liked[here], numbers[here]),
            }
        )
    return pl.DataFrame(rows, schema=BY_GROUP)


def _codes(
    kind: str, now: ArrayLike, past: ArrayLike, past_periods: ArrayLike, newest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three columns as int64, or a DataError where the past is not a past."""
    codes, earlier, periods = (np.asarray(column, dtype=np.int64) for column in (now, past, past_periods))
    same_length(f"{kind} groups", **{f"past {kind}s": earlier, "past periods": periods})
    late = int((periods > newest).sum())
    if late:
        raise DataError(
            f"{kind} groups",
            f"found {late:,} of {periods.size:,} past rows after period {newest}",
            f"only rows before the cut, of periods up to {newest}.",
            "Pass a view up to the cut: a label from the future would make groups look better than they are.",
        )
    unknown = int((codes < 0).sum() + (earlier < 0).sum())
    if unknown:
        raise DataError(f"{kind} groups", f"found {unknown:,} {kind} codes below 0", "codes from 0.")
    return codes, earlier, periods


def _size(*codes: np.ndarray) -> int:
    return max(int(column.max(initial=-1)) for column in codes) + 1
