"""Small worlds for tests, written in one line: who, which item, liked or not, and when.

    ann:heat+@1 ann:up-@2 bob:heat+@2

reads: at second 1 ann liked heat, at second 2 she did not like up while bob liked heat. File order is
the order of writing. A time may carry a unit (`@3d`) and a fraction (`@1.5`); seconds otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl
from hypothesis import strategies as st

from regraft.data.build import build_stream
from regraft.data.interactions import INTERACTIONS
from regraft.data.negatives import Sampler
from regraft.data.periods import Periods
from regraft.data.regimes import UNITS
from regraft.data.stream import Stream

ROW = re.compile(r"(\w+):(\w+)([+-])@(\d+(?:\.\d+)?)([smhdw]?)")
LIKED, NOT_LIKED = 5.0, 1.0
ONE_PERIOD = Periods(by="calendar", every="1y")  # tiny worlds play in January 1970


def tiny_log(text: str) -> pl.DataFrame:
    """Interactions in the canonical schema; a like is worth 5, a dislike 1."""
    rows = []
    for line, word in enumerate(text.split(), start=1):
        match = ROW.fullmatch(word)
        assert match, f"'{word}' is not user:item+@time or user:item-@time"
        ms = round(float(match[4]) * UNITS[match[5] or "s"])
        value = LIKED if match[3] == "+" else NOT_LIKED
        rows.append((match[1], match[2], ms, "rating", value, line))
    frame = pl.DataFrame(rows, schema={**INTERACTIONS, "timestamp": pl.Int64}, orient="row")
    return frame.with_columns(pl.from_epoch("timestamp", "ms").dt.replace_time_zone("UTC")).cast(dict(INTERACTIONS))


def tiny_stream(
    text: str,
    periods: Periods = ONE_PERIOD,
    *,
    titles: Mapping[str, str] | None = None,
    genres: Mapping[str, str] | None = None,
    label: str = "rating > 3",
    negatives: int = 1,
    sampler: Sampler = "period",
    seed: int = 0,
) -> Stream:
    """A stream of the rows in `text`; an item's title is its name unless `titles` says otherwise.

    Both a like and a dislike must occur, as the label rule demands, unless `label` is "implicit".
    """
    log = tiny_log(text)
    names = log["item_id"].unique(maintain_order=True).to_list()
    items = pl.DataFrame(
        {
            "item_id": names,
            "title": [(titles or {}).get(n, n) for n in names],
            "genres": [(genres or {}).get(n, "") for n in names],
        },
        schema=dict.fromkeys(("item_id", "title", "genres"), pl.String),
    )
    return build_stream(log, items, label, periods, negatives=negatives, sampler=sampler, seed=seed, name="tiny")


@st.composite
def logs(draw: st.DrawFn, most: int = 40, users: int = 3, items: int = 5, ties: bool = True) -> str:
    """Random logs in the notation above, over about three days, with a like and a dislike at least."""
    gaps = st.sampled_from([0, 0, 1, 3_600, 40_000]) if ties else st.sampled_from([1, 3_600, 40_000])
    n = draw(st.integers(4, most))
    at, words = 0, []
    for row in range(n):
        at += draw(gaps)
        liked = row == 0 or (row > 1 and draw(st.booleans()))
        user, item = draw(st.integers(0, users - 1)), draw(st.integers(0, items - 1))
        words.append(f"u{user}:i{item}{'+' if liked else '-'}@{at}")
    return " ".join(words)
