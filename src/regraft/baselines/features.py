"""The causal features that classical baselines and stacks are fitted on: facts as numbers, plus three.

Every column is as of the row under the regime. Furniture of this room, not a baseline.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.prompts.facts import fact_rows
from regraft.prompts.similarity.protocol import NONE

FEATURES = (
    "item_rate", "item_count", "item_age", "user_rate", "user_lean",
    "user_count", "recent", "kin", "last_three", "pause",
)  # fmt: skip


def features(
    view: Stream | Request, regime: Regime, names: tuple[str, ...] = FEATURES, similarity: str = NONE
) -> np.ndarray:
    """float64 [examples or candidates, names]; rates as log-odds, counts and times as logarithms.

    A request brings the facts of its candidates, worked out under the same regime and similarity.
    """
    if isinstance(view, Request):
        if view.facts is None:
            raise DataError(f"request for user '{view.history.user}'", "brings no facts", "one row per candidate")
        return of_table(view.facts, names)
    return _matrix(zip(names, fact_rows(view, regime, names, similarity), strict=True), len(view), len(names))


def of_table(table: pl.DataFrame, names: tuple[str, ...] = FEATURES) -> np.ndarray:
    """float64 [rows, names] of a table of facts: a stream's, or what FactState gives."""
    return _matrix(((name, table[name].to_numpy()) for name in names), len(table), len(names))


def _matrix(columns: Iterable[tuple[str, np.ndarray]], n: int, width: int) -> np.ndarray:
    """One column after the other is put in its place: a log's features are held once."""
    found = np.empty((n, width))
    for place, (name, values) in enumerate(columns):
        if name in ("item_rate", "user_rate", "alike_rate"):
            values = log_odds(values)
        elif name in ("item_count", "item_age", "user_count", "pause"):
            values = np.log1p(np.maximum(values, 0))
        found[:, place] = values
    return found


def log_odds(p: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), p kept inside (0.001, 0.999)."""
    p = np.clip(p, 0.001, 0.999)
    return np.log(p / (1 - p))
