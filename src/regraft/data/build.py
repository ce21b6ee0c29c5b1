"""From canonical interactions to a stream: label, sort, code, cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from regraft.data.interactions import by_arrival
from regraft.data.labels import LabelRule
from regraft.data.negatives import Sampler, closings, per_period, untouched
from regraft.data.periods import Cuts, Periods
from regraft.data.regimes import duration
from regraft.data.stream import Stream, code_by_first_appearance, newest
from regraft.data.text import clean_items
from regraft.errors import ConfigError, DataError, NoRowsError

MOST_NEGATIVES = 1_024  # per positive: the ids of negatives are derived from the positive's
LARGEST_ID = 2**52  # row ids are below, so that those of sampled negatives fit into int64


def build_stream(
    interactions: pl.DataFrame,
    items: pl.DataFrame,
    label: str,
    periods: Periods,
    *,
    negatives: int = 1,
    sampler: Sampler = "period",
    seed: int = 0,
    name: str = "stream",
    cuts: Cuts | None = None,
) -> Stream:
    """A stream whose examples are all rows from period 1 on, but for late ones.

    `interactions` has the canonical schema. A column `row_id` (int64, unique, never reused) names the rows; without
    one, `line` does. A column `known_at` says when a row became known, where that is later than its timestamp: late
    rows are history, never examples. Columns `example` and `happened` (bool, both true without them) say what is
    history only and what is an example only; the latter may have ids below zero. `items` has one row per item with
    `item_id, title` and string attributes; with a column `known_at`, an item may have several, each valid from then
    on; where its first one has a time, the item is on offer since then, sold or not. `negatives` (per positive),
    `sampler` and `seed` matter under the label rule `implicit` only. `cuts` are those found when the log was shorter:
    they stay, and growth adds periods.
    """
    if not len(interactions):
        raise NoRowsError(f"stream '{name}'", "the log has no rows", "at least one accepted interaction")
    rule = LabelRule(label)
    rows = by_arrival(rule.apply(_named(interactions, name)))
    user, user_ids = code_by_first_appearance(rows["user_id"])
    columns: dict[str, Any] = {
        "row_id": rows["row_id"].to_numpy(),
        "user": user,
        "time": rows["timestamp"].dt.epoch("ms").to_numpy(),
        "known_at": rows["known_at"].to_numpy(),
        "label": rows["label"].to_numpy().astype(np.int8),
        "happened": rows["happened"].to_numpy(),
        "example": rows["example"].to_numpy(),
    }
    cuts = periods.cuts(*_keys(columns)) if cuts is None else cuts.grown(*_keys(columns))
    columns["period"] = cuts.of_rows(*_keys(columns))
    dated = items if rule.implicit and sampler == "period" else items.clear()
    columns["item"], item_ids, offered = _coded(rows, dated, cuts.times[-1])
    if rule.implicit:
        columns = _with_negatives(columns, negatives, sampler, seed, offered, cuts, periods)
    example = columns.pop("example") & (columns["period"] > 0) & (columns["known_at"] == columns["time"])
    versions = item_versions(items, item_ids)
    return Stream(
        **columns,
        targets=np.flatnonzero(example),
        user_ids=user_ids,
        items=newest(versions),
        item_versions=versions if len(versions) > len(item_ids) else None,
        cuts=cuts.times,
        gap=duration(periods.gap),
        name=name,
        implicit=rule.implicit,
        frozen=cuts,
        offered=offered if rule.implicit else None,
    )


def _named(interactions: pl.DataFrame, name: str) -> pl.DataFrame:
    """The rows with `row_id`, `known_at` (ms), `example` and `happened`; refuses ids that do not name rows."""
    given = "row_id" in interactions.columns
    rows = interactions if given else interactions.with_columns(row_id=pl.col("line"))
    time = pl.col("timestamp").dt.epoch("ms")
    known_at = pl.col("known_at").dt.epoch("ms").fill_null(time) if "known_at" in rows.columns else time
    rows = rows.with_columns(pl.col("row_id").cast(pl.Int64), known_at=pl.max_horizontal(known_at, time))
    rows = rows.with_columns(
        pl.lit(True).alias(name) for name in ("example", "happened") if name not in interactions.columns
    )
    ids, real = rows["row_id"], rows["row_id"].filter(rows["happened"])
    if ids.null_count() or ids.n_unique() < len(ids) or real.min() < 0 or ids.max() >= LARGEST_ID:  # type: ignore[operator]
        raise DataError(
            f"stream '{name}'",
            f"the column {'row_id' if given else 'line'} does not name the rows: {ids.n_unique():,} different values "
            f"from {ids.min()!r} to {ids.max()!r} in {len(ids):,} rows",
            f"a whole number of its own for every row, from 0 to {LARGEST_ID - 1}",
        )
    return rows


def _coded(rows: pl.DataFrame, items: pl.DataFrame, end: int) -> tuple[np.ndarray, pl.Series, np.ndarray]:
    """(item code per row, ids, since when each is on offer in ms): codes ascend with that time.

    An item is on offer from its first row or, where `items` dates it earlier, from that date; those dated at `end`
    (ms) or later are left out.
    """
    appeared = rows.select("known_at", "row_id", "item_id")
    if "known_at" in items.columns:
        dated = items.group_by("item_id").agg(
            pl.col("known_at").dt.epoch("ms").min(), undated=pl.col("known_at").is_null().any()
        )
        dated = dated.filter(~pl.col("undated")).select("known_at", pl.lit(-1, pl.Int64).alias("row_id"), "item_id")
        dated = dated.filter(pl.col("known_at") < end)
        appeared = pl.concat([dated, appeared]).sort("known_at", "row_id", "item_id")
    first = appeared.unique("item_id", keep="first", maintain_order=True)
    ids = first["item_id"]
    codes = pl.Series(np.arange(len(ids), dtype=np.int32))
    item = rows["item_id"].replace_strict(ids, codes, return_dtype=pl.Int32).to_numpy()
    return item, ids, first["known_at"].to_numpy()


def _keys(columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return columns["known_at"], columns["row_id"]


def _with_negatives(
    columns: dict[str, Any], per_positive: int, sampler: Sampler, seed: int, offered: np.ndarray, cuts: Cuts,
    periods: Periods,
) -> dict[str, Any]:  # fmt: skip
    """The rows with sampled negatives behind their positives."""
    if periods.straddle:
        raise ConfigError(
            "periods.straddle", "is set under the label rule implicit", "cuts that no instant straddles",
            "Sampled negatives share the time of their positive: set straddle: false",
        )  # fmt: skip
    if per_positive > MOST_NEGATIVES:
        raise ConfigError("data.negatives", f"is {per_positive}", f"at most {MOST_NEGATIVES}")
    user, item, ids = columns["user"], columns["item"], columns["row_id"]
    closing = closings(columns["known_at"], columns["period"], cuts.times, duration(periods.gap))
    if sampler == "untouched":
        at, drawn, number = untouched(user, item, columns["known_at"], ids, per_positive, seed)
    else:
        at, drawn, number = per_period(user, item, columns["time"], closing, offered, ids, per_positive, seed)
    n = len(columns["user"])
    order = np.lexsort((np.concatenate([np.full(n, -1), number]), np.concatenate([np.arange(n), at])))
    own = {
        "item": drawn,
        "label": np.zeros(len(at), np.int8),
        "happened": np.zeros(len(at), bool),
        "row_id": -1 - (columns["row_id"][at] * MOST_NEGATIVES + number),
    }
    return {k: np.concatenate([v, own.get(k, v[at])])[order] for k, v in columns.items()}


def item_versions(items: pl.DataFrame, item_ids: pl.Series) -> pl.DataFrame:
    """Texts of the items in code order, each version in time order: item_id, known_at (ms), title, attributes.

    Items without a row get their id as title.
    """
    if "title" not in items.columns:
        items = items.with_columns(pl.lit(None, dtype=pl.String).alias("title"))
    first = pl.lit(-(2**62), dtype=pl.Int64)
    if "known_at" in items.columns:
        items = items.with_columns(pl.col("known_at").dt.epoch("ms").fill_null(first)).sort("known_at")
        # An item is called by its first text until the second one is known.
        items = items.with_columns(
            pl.when(pl.col("item_id").is_first_distinct()).then(first).otherwise("known_at").alias("known_at")
        ).unique(["item_id", "known_at"], keep="last", maintain_order=True)
    else:
        items = items.unique("item_id", keep="first", maintain_order=True).with_columns(known_at=first)
    wanted = pl.DataFrame({"item_id": item_ids})
    joined = wanted.join(items, on="item_id", how="left", maintain_order="left_right").with_columns(
        pl.col("known_at").fill_null(first)
    )
    named = clean_items(joined.drop("known_at")).with_columns(known_at=joined["known_at"])
    return named.select("item_id", "known_at", pl.exclude("item_id", "known_at"))
