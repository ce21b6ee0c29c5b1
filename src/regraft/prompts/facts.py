"""Live facts: numbers about an item or a user as of an event, rendered in one to three tokens.

A fact is a count or a rate that anyone can explain, never the score of a fitted model. It uses only
rows known at the event's time under the regime; the same table serves prompts, baselines and serving.
A log without dislikes has no like-rates: there, an item's rate is its chance of being the chosen one beside an
average item (50: as popular as the average), which is also what the residuals behind `kin` are taken from.
Adding a fact is adding one entry to FACTS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from regraft.data.asof import AsOf
from regraft.data.neighbours import kin
from regraft.data.regimes import UNITS, Regime
from regraft.data.stream import Stream
from regraft.errors import ConfigError

PRIOR_ITEM = 10.0  # average ratings added to an item's own, so that one like is not "100 %"
PRIOR_IMPLICIT = 0.5  # choices added on both sides where there are no dislikes
PRIOR_USER = 5.0
RECENT = 10
REFRESH = ("event", "day", "period")


@dataclass(frozen=True)
class Fact:
    """`render` turns the column of this name into text."""

    name: str
    meaning: str
    render: Callable[[np.ndarray], np.ndarray]


def _percent(values: np.ndarray) -> np.ndarray:
    """To the nearest 5: "0", "5", ... "100"."""
    points = (np.rint(np.clip(values, 0, 1) * 20) * 5).astype(np.int64)
    return np.asarray(points.astype(str))


def _signed(values: np.ndarray) -> np.ndarray:
    """Points to the nearest 5: "-15", "+0", "+20"."""
    points = (np.rint(np.clip(values, -0.95, 0.95) * 20) * 5).astype(np.int64)
    return np.char.add(np.where(points < 0, "-", "+"), np.abs(points).astype(str))


def _rounded_count(values: np.ndarray) -> np.ndarray:
    """0, 1, 2, 5, 10, 20, 50 ... 500, 1k, 2k, 5k ...: the largest of the series not above the count."""
    steps = np.array([0] + [m * 10**e for e in range(7) for m in (1, 2, 5)])
    text = np.array([f"{s // 1000}k" if s >= 1000 else str(s) for s in steps])
    return text[np.searchsorted(steps, values, side="right") - 1]


def _age(values: np.ndarray) -> np.ndarray:
    """Days as 0d, 1d, 3d, 7d, 30d, 90d, 1y, 2y, 5y: the largest not above the age."""
    steps = np.array([0, 1, 3, 7, 30, 90, 365, 730, 1825])
    text = np.array(["0d", "1d", "3d", "7d", "30d", "90d", "1y", "2y", "5y"])
    return np.asarray(text[np.searchsorted(steps, np.maximum(values, 0), side="right") - 1])


FACTS = {
    f.name: f
    for f in (
        Fact("item_rate", "per cent of earlier verdicts on this item that were likes", _percent),
        Fact("item_count", "how many verdicts this item had before", _rounded_count),
        Fact("item_age", "time since the item was first seen", _age),
        Fact("user_rate", "per cent of this user's earlier verdicts that were likes", _percent),
        Fact(
            "user_lean",
            "this user's likes above or below what the items' own rates led to expect, in points",
            _signed,
        ),
        Fact("user_count", "how many verdicts this user gave before", _rounded_count),
        Fact("recent", f"per cent of likes among this user's last {RECENT} verdicts", _percent),
        Fact("kin", "how this user judged the items that people judge alike with this one, in points", _signed),
    )
}

_MEMO: dict[tuple[str, ...], pl.DataFrame] = {}


def fact_table(stream: Stream, regime: Regime, refresh: str = "event") -> pl.DataFrame:
    """One Float64 column per fact, one row per row of the stream, each as of that row.

    `refresh` says how old the numbers about *items* may be: as of the event, the start of its day, or of
    its period. The warm-up is no period that begins: with "period" its rows are served as with "day".
    Numbers about the user are always as of the event. A row's facts do not depend on later rows, so the
    longest table computed for a log serves all its views.
    """
    if refresh not in REFRESH:
        raise ConfigError(f"facts.refresh '{refresh}'", "is unknown", "one of " + ", ".join(REFRESH))
    key = (stream.root, str(regime), refresh)
    if key not in _MEMO or len(_MEMO[key]) < len(stream.time):
        if len(_MEMO) >= 8:
            del _MEMO[next(iter(_MEMO))]
        _MEMO[key] = _compute(stream, regime, refresh)
    return _MEMO[key][: len(stream.time)]


def rendered(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The named facts as text columns."""
    unknown = [n for n in names if n not in FACTS]
    if unknown:
        raise ConfigError("facts", f"unknown {', '.join(unknown)}", "some of " + ", ".join(FACTS))
    texts = {n: FACTS[n].render(table[n].to_numpy()).astype(object) for n in names}
    return pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String))


def _compute(stream: Stream, regime: Regime, refresh: str) -> pl.DataFrame:
    known = regime.known(stream)
    item_known = _refreshed(stream, known, refresh)
    liked = (stream.label * stream.happened).astype(np.float64)
    of_item, of_user = AsOf.items(stream), AsOf.users(stream)

    total = np.concatenate([[0.0], np.cumsum(liked)])
    verdicts = np.concatenate([[0], np.cumsum(stream.happened)])
    average = (total[item_known] + 1) / (verdicts[item_known] + 2)

    item_count = of_item.count(stream.item, item_known)
    first = of_item.order.rows[of_item.order.start[:-1]] if len(stream.time) else np.zeros(0, dtype=np.int64)
    if stream.implicit:
        usual = verdicts[item_known] / np.maximum(np.searchsorted(np.sort(first), item_known), 1)
        item_rate = (item_count + PRIOR_IMPLICIT) / (item_count + usual + 2 * PRIOR_IMPLICIT)
    else:
        item_rate = (of_item.sums(liked, stream.item, item_count) + PRIOR_ITEM * average) / (item_count + PRIOR_ITEM)

    user_count = of_user.count(stream.user, known)
    likes = of_user.sums(liked, stream.user, user_count)
    residual = stream.label - item_rate
    tail = np.minimum(user_count, RECENT)
    return pl.DataFrame(
        {
            "item_rate": item_rate,
            "item_count": item_count.astype(np.float64),
            "item_age": np.where(item_count > 0, stream.time - stream.time[first[stream.item]], 0) / UNITS["d"],
            "user_rate": (likes + PRIOR_USER * average) / (user_count + PRIOR_USER),
            "user_lean": of_user.sums(residual, stream.user, user_count) / (user_count + PRIOR_USER),
            "user_count": user_count.astype(np.float64),
            "recent": (of_user.sums(liked, stream.user, user_count, RECENT) + average) / (tail + 1),
            "kin": kin(stream, known, residual),
        }
    )


def _refreshed(stream: Stream, known: np.ndarray, refresh: str) -> np.ndarray:
    if refresh == "event":
        return known
    start = np.searchsorted(stream.time, stream.time // UNITS["d"] * UNITS["d"])
    if refresh == "period":
        start = np.where(stream.period == 0, start, np.searchsorted(stream.period, stream.period))
    return np.minimum(known, start)
