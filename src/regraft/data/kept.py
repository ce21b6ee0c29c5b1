"""A log of which only so many days are kept: the stream that is left when older rows are deleted.

What is gone is gone for everything: facts, neighbours, histories and examples are worked out from the rows that are
left, as on a store from which the older ones were deleted. Row ids, periods and cuts stay what they were.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from regraft.data.stream import ROW_COLUMNS, Stream, code_by_first_appearance


def kept_since(stream: Stream, time: int) -> Stream:
    """The stream without the rows that happened before `time` (ms); the same stream where there are none.

    Users and items are coded anew by first appearance. In an implicit log items keep their codes: they are on offer
    whether or not anybody's rows of them are kept.
    """
    keep = stream.time >= time
    if keep.all():
        return stream
    columns: dict[str, Any] = {name: getattr(stream, name)[keep] for name in ROW_COLUMNS}
    columns["user"], users = _coded(columns["user"])
    items, versions = stream.items, stream.item_versions
    if not stream.implicit:
        columns["item"], left = _coded(columns["item"])
        items = stream.items[left]
        if versions is not None:
            versions = items.select("item_id").join(versions, on="item_id", how="left", maintain_order="left_right")
            versions = versions.select(stream.item_versions.columns)  # type: ignore[union-attr]
    is_target = np.zeros(len(keep), dtype=bool)
    is_target[stream.targets] = True
    return replace(
        stream, **columns, targets=np.flatnonzero(is_target[keep]), user_ids=stream.user_ids.gather(users), items=items,
        item_versions=versions, shared={},
    )  # fmt: skip


def _coded(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes 0, 1, 2... in order of first appearance, the old code of each)."""
    new, old = code_by_first_appearance(pl.Series(codes))
    return new, old.to_numpy()
