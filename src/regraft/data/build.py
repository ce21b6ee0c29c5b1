"""From canonical interactions to a stream: label, sort, code, cut."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from regraft.data.labels import LabelRule, sample_negatives
from regraft.data.periods import Periods
from regraft.data.regimes import duration
from regraft.data.stream import Stream, code_by_first_appearance
from regraft.data.text import clean_items
from regraft.errors import ConfigError, DataError


def build_stream(
    interactions: pl.DataFrame,
    items: pl.DataFrame,
    label: str,
    periods: Periods,
    *,
    negatives: int = 1,
    seed: int = 0,
    name: str = "stream",
) -> Stream:
    """A stream whose examples are all rows from period 1 on.

    `interactions` has the canonical schema; its order decides between equal times. `items` has one row per
    item with `item_id, title` and string attributes. `negatives` (per positive) and `seed` matter under the
    label rule `implicit` only.
    """
    if not len(interactions):
        raise DataError(f"stream '{name}'", "the log has no rows", "at least one accepted interaction")
    rule = LabelRule(label)
    rows = rule.apply(interactions).sort("timestamp", maintain_order=True)
    time = rows["timestamp"].dt.epoch("ms").to_numpy()
    user, user_ids = code_by_first_appearance(rows["user_id"])
    item, item_ids = code_by_first_appearance(rows["item_id"])
    label_array = rows["label"].to_numpy().astype(np.int8)
    happened = np.ones(len(rows), dtype=bool)
    if rule.implicit:
        if periods.straddle:
            raise ConfigError(
                "periods.straddle", "is set under the label rule implicit", "cuts that no instant straddles",
                "Sampled negatives share the time of their positive: set straddle: false",
            )  # fmt: skip
        at, drawn = sample_negatives(user, item, time, negatives, seed)
        order = np.argsort(np.concatenate([np.arange(len(user)), at + 0.5]), kind="stable")
        user, time = np.concatenate([user, user[at]])[order], np.concatenate([time, time[at]])[order]
        item = np.concatenate([item, drawn])[order]
        label_array = np.concatenate([label_array, np.zeros(len(at), dtype=np.int8)])[order]
        happened = np.concatenate([happened, np.zeros(len(at), dtype=bool)])[order]
    period, cuts = periods.cut(time)
    return Stream(
        user=user,
        item=item,
        time=time,
        label=label_array,
        period=period,
        happened=happened,
        targets=np.flatnonzero(period > 0),
        user_ids=user_ids,
        items=_aligned(items, item_ids),
        cuts=cuts,
        gap=duration(periods.gap),
        name=name,
        implicit=rule.implicit,
    )


def _aligned(items: pl.DataFrame, item_ids: pl.Series) -> pl.DataFrame:
    """The item table in code order; items without a row get their id as title."""
    wanted = pl.DataFrame({"item_id": item_ids})
    joined = wanted.join(items.unique("item_id", keep="first"), on="item_id", how="left", maintain_order="left")
    return clean_items(joined)


def as_date(ms: int) -> str:
    """ISO date of a time in ms (UTC)."""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()
