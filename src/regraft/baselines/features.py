"""The causal features that classical baselines and stacks are fitted on: facts as numbers, plus three.

Every column is as of the row under the regime. Furniture of this room, not a baseline.
"""

from __future__ import annotations

import numpy as np

from regraft.data.asof import AsOf
from regraft.data.regimes import UNITS, Regime
from regraft.data.stream import Stream
from regraft.prompts.facts import fact_table

FEATURES = (
    "item_rate", "item_count", "item_age", "user_rate", "user_lean",
    "user_count", "recent", "kin", "last_three", "pause",
)  # fmt: skip


def features(view: Stream, regime: Regime, names: tuple[str, ...] = FEATURES) -> np.ndarray:
    """float64 [examples, names]; rates as log-odds, counts and times as logarithms."""
    table = fact_table(view, regime)
    rows = view.targets
    columns = []
    for name in names:
        if name in ("last_three", "pause"):
            columns.append(_user_column(view, regime, name))
            continue
        values = table[name].to_numpy()[rows]
        if name in ("item_rate", "user_rate"):
            values = log_odds(values)
        elif name in ("item_count", "item_age", "user_count"):
            values = np.log1p(values)
        columns.append(values)
    return np.stack(columns, axis=1)


def _user_column(view: Stream, regime: Regime, name: str) -> np.ndarray:
    of_user, user = AsOf.users(view), view.users
    count = of_user.count(user, regime.known(view, view.targets))
    if name == "last_three":
        likes = of_user.sums((view.label * view.happened).astype(float), user, count, 3)
        return (likes + 0.5) / (np.minimum(count, 3) + 1)
    newest = of_user.order.rows[of_user.order.start[user] + np.maximum(count - 1, 0)]
    since = view.time[view.targets] - view.time[newest]
    hours = np.where(count > 0, since, 365 * UNITS["d"]) / UNITS["h"]
    return np.log1p(np.maximum(hours, 0))


def log_odds(p: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), p kept inside (0.001, 0.999)."""
    p = np.clip(p, 0.001, 0.999)
    return np.log(p / (1 - p))
