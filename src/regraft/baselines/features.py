"""The causal features that classical baselines and stacks are fitted on: facts as numbers, plus three.

Every column is as of the row under the regime. Furniture of this room, not a baseline.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.facts import fact_table
from regraft.prompts.similarity.protocol import NONE

FEATURES = (
    "item_rate", "item_count", "item_age", "user_rate", "user_lean",
    "user_count", "recent", "kin", "last_three", "pause",
)  # fmt: skip


def features(view: Stream, regime: Regime, names: tuple[str, ...] = FEATURES, similarity: str = NONE) -> np.ndarray:
    """float64 [examples, names]; rates as log-odds, counts and times as logarithms."""
    return of_table(fact_table(view, regime, similarity=similarity)[view.targets], names)


def of_table(table: pl.DataFrame, names: tuple[str, ...] = FEATURES) -> np.ndarray:
    """float64 [rows, names] of a table of facts: a stream's, or what FactState gives."""
    columns = []
    for name in names:
        values = table[name].to_numpy()
        if name in ("item_rate", "user_rate", "alike_rate"):
            values = log_odds(values)
        elif name in ("item_count", "item_age", "user_count", "pause"):
            values = np.log1p(np.maximum(values, 0))
        columns.append(values)
    return np.stack(columns, axis=1)


def log_odds(p: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), p kept inside (0.001, 0.999)."""
    p = np.clip(p, 0.001, 0.999)
    return np.log(p / (1 - p))
