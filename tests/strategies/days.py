"""Worlds with one period a day, and the closing of their periods with a fake lab."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Strategy
from regraft.testing.fake_lab import FakeLab
from worlds import tiny_stream


def days(*verdicts: str, gap: str = "0s") -> Stream:
    """One period per text: "heat+ ann:up-" are two verdicts of that day, ten seconds apart.

    A verdict without a user is given by a user of its own.
    """
    rows = []
    for day, text in enumerate(verdicts):
        for number, word in enumerate(text.split()):
            user, _, verdict = word.rpartition(":")
            rows.append(f"{user or f'u{day}_{number}'}:{verdict}@{day * 86_400 + 10 * number}")
    return tiny_stream(" ".join(rows), Periods(by="calendar", every="1d", gap=gap))


def close(strategy: Strategy, stream: Stream, period: int, blend: Blend | None = None, lab: Any = None) -> Blend:
    """What the strategy makes of the old blend when `period` closes."""
    return strategy.update(blend, stream.until(period + 1), cast(Any, FakeLab() if lab is None else lab))


def positions(view: Stream, period: int) -> list[int]:
    """Which examples of a period are in the view, counted from 0 inside the period."""
    first = int(np.searchsorted(view.period, period))
    return [int(row) - first for row in view.targets if view.period[row] == period]


def log_odds(likes: int, dislikes: int) -> float:
    """What a fake adapter says of a bucket in which it saw so many."""
    return float(np.log((likes + 1) / (dislikes + 1)))
