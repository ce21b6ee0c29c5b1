"""A made-up person, for whoever may see what a template says but not what anybody did.

Items are the site's own, spread over its catalogue; what the person thinks of them is invented, and facts count that
alone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from regraft.data.build import build_stream
from regraft.data.labels import LabelRule
from regraft.data.periods import Periods
from regraft.errors import DataError
from regraft.setup.prompting import Desk
from regraft.setup.site import days_cuts

NAME = "example"
MOST = 8  # items, one a day
BEGINS = datetime(2025, 1, 6, tzinfo=UTC)
LIKED = (5.0, 5.0, 1.0)  # over and over


def example_desk(desk: Desk, label: str) -> Desk:
    """The desk with the log of the made-up person in the place of the site's; `label` is the site's rule."""
    items = desk.stream.items
    if len(items) < 2:
        raise DataError(
            "stream '{stream}'", "has {n} items", "2 or more to make an example of",
            stream=desk.stream.name, n=len(items),
        )  # fmt: skip
    chosen = np.unique(np.linspace(0, len(items) - 1, min(MOST, len(items))).round().astype(int))
    days = range(len(chosen))
    rows = pl.DataFrame(
        {
            "user_id": NAME, "item_id": items["item_id"].gather(chosen), "event": "rating", "line": days,
            "timestamp": [BEGINS + timedelta(days=day) for day in days],
            "value": [LIKED[day % len(LIKED)] for day in days],
        },
        schema_overrides={"timestamp": pl.Datetime("ms", "UTC")},
    )  # fmt: skip
    begins, ends = (round((BEGINS + timedelta(days=day)).timestamp() * 1000) for day in (len(chosen) - 1, len(chosen)))
    rule = "implicit" if LabelRule(label).implicit else "rating > 3"
    periods, cuts = Periods(by="calendar", every="1d"), days_cuts([begins], ends)
    return replace(desk, stream=build_stream(rows, items, rule, periods, name=NAME, cuts=cuts))
