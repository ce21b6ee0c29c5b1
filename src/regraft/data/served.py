"""Rows of served lists as examples: each stands at the time at which its list was shown, and knows what was known then.

A click is stored when it happens, an item without an answer when it was shown. As they are, a click would know that
its neighbours in the list were passed over, which the server that ranked them could not. So a row of a list counts
twice: as an example, when the list was shown, and as history - an answer when it happened, an item that was passed
over at the end of its day, which is when servers come to know of it.
"""

from __future__ import annotations

import polars as pl

from regraft.data.build import MOST_NEGATIVES
from regraft.data.store import IMPRESSION

LISTED = ["request_id", "item_id"]


def asked_when_shown(rows: pl.DataFrame, liked: pl.Expr) -> pl.DataFrame:
    """The rows of a site (schema data.store.STORED) with `example` and `happened`, and examples of lists apart.

    `liked`: 1 for a row that the label rule likes. Of several answers to one item of a list the best is the example.
    An answer that came late, on a later day than its list or behind the feedback delay is a row like any other.
    Ids of examples apart are below zero, as those of sampled negatives are.
    """
    rows = rows.with_columns(example=pl.lit(True), happened=pl.lit(True))
    passed, day = pl.col("event") == IMPRESSION, pl.col("time").dt.truncate("1d")
    lists = rows.filter(pl.col("request_id").is_not_null() & (pl.col("known_at") == pl.col("time")))
    if not len(lists):
        return rows
    shown = pl.coalesce(pl.col("time").filter(passed).min(), pl.col("time").min()).over("request_id")
    lists = lists.with_columns(shown=shown, passed=passed, settled=passed.any().over(LISTED))
    lists = lists.filter(pl.col("passed") | (~pl.col("settled") & (pl.col("shown").dt.truncate("1d") == day)))
    best = lists.with_columns(liked=liked).sort("liked", "time", descending=[True, False], maintain_order=True)
    best = best.unique(LISTED, keep="first", maintain_order=True)
    apart = best.with_columns(
        time="shown", known_at="shown", row_id=-1 - pl.col("row_id") * MOST_NEGATIVES, happened=pl.lit(False)
    ).select(rows.columns)
    known = pl.when(pl.col("passed")).then(day.dt.offset_by("1d").dt.offset_by("-1ms")).otherwise("known_at")
    past = lists.with_columns(example=pl.lit(False), known_at=known.cast(rows.schema["known_at"])).select(rows.columns)
    others = rows.join(lists.select("row_id"), on="row_id", how="anti", maintain_order="left")
    return pl.concat([others, past, apart])
