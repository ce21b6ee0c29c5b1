"""Published layouts as presets: `lsat-ml-1m` (T. Shi et al., arXiv 2312.15599, section 4.1).

Every user's ratings in time order (ties keep file order); each rating with at least ten earlier ones
is a sample; the last 200,000 samples by time form 20 periods of 10,000 - ties may straddle a cut, as
published. Two information sets: `window` holds only these samples and the ten ratings each carries as
its history; `full` holds every earlier rating of the file as well, as warm-up (period 0).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from regraft.data.build import build_stream
from regraft.data.periods import Periods
from regraft.data.stream import Stream, code_by_first_appearance
from regraft.errors import DataError

HISTORY = 10
SAMPLES = 200_000
PERIODS = 20
Information = Literal["window", "full"]
PRESETS = ("lsat-ml-1m",)


def lsat_ml_1m(
    interactions: pl.DataFrame, items: pl.DataFrame, information: Information = "full", *, samples: int = SAMPLES
) -> Stream:
    """The paper's ML-1M stream from the accepted rows of the official file; liked = rating > 3."""
    whole = build_stream(interactions, items, "rating > 3", Periods(by="count", n=2, straddle=True), name="lsat-ml-1m")
    candidates = np.flatnonzero(whole.order.index >= HISTORY)
    if len(candidates) < samples:
        raise DataError(
            "preset lsat-ml-1m",
            f"the log has {len(candidates):,} ratings with {HISTORY} earlier ones",
            f"at least {samples:,}",
            "Use periods of your own instead of the preset",
        )
    targets = candidates[-samples:]
    size = samples // PERIODS
    bounds = targets[::size]
    period = np.searchsorted(bounds, np.arange(len(whole.time)), side="right").astype(np.int32)
    cuts = (*(int(whole.time[b]) for b in bounds), int(whole.time[-1]) + 1)
    stream = replace(whole, period=period, targets=targets, cuts=cuts, frozen=None, shared={})
    return stream if information == "full" else _window(stream)


def _window(stream: Stream) -> Stream:
    """Only the samples and the histories they carry; codes are given anew."""
    order = stream.order
    at = order.index[stream.targets]
    first = order.start[stream.users] + at
    carried = order.rows[(first[:, None] - np.arange(HISTORY + 1)[None, :]).ravel()]
    keep = np.unique(carried)
    user, user_ids = code_by_first_appearance(stream.user_ids.gather(stream.user[keep]))
    item, item_ids = code_by_first_appearance(stream.items["item_id"].gather(stream.item[keep]))
    items, versions = pl.DataFrame({"item_id": item_ids}), stream.item_versions
    return replace(
        stream,
        **{n: getattr(stream, n)[keep] for n in ("row_id", "time", "known_at", "label", "period", "happened")},
        user=user,
        item=item,
        targets=np.searchsorted(keep, stream.targets),
        user_ids=user_ids,
        items=items.join(stream.items, on="item_id", how="left", maintain_order="left"),
        item_versions=None
        if versions is None
        else items.join(versions, on="item_id", how="left", maintain_order="left_right"),
        name="lsat-ml-1m (window)",
        shared={},
    )
