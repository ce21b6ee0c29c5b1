"""What the arena can renew and score; the one wrapper that makes any strategy a contender."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from regraft.baselines.stack import Stack
from regraft.cost import Cost, Renewal, measured
from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.close_period import CalibrationKind, close_period
from regraft.strategies.protocol import Strategy

if TYPE_CHECKING:
    from regraft.lm.lab import Lab


class Contender(Protocol):
    """A strategy with its blend, or a baseline."""

    def renew(self, past: Stream) -> Renewal:
        """Learns from the past, which ends at the cut."""

    def score(self, cases: Stream) -> np.ndarray:
        """Log-odds, one per case; no case is dropped."""


class StrategyContender:
    """Holds the blend between periods; saved and loaded as a directory."""

    def __init__(self, strategy: Strategy, lab: Lab, calibration: CalibrationKind = "none") -> None:
        self.strategy, self.lab, self.calibration = strategy, lab, calibration
        self.blend: Blend | None = None
        self.stack = Stack(lab.regime, lab.seed) if calibration == "stack" else None

    def renew(self, past: Stream) -> Renewal:
        extra = Cost()
        if self.stack is not None:
            with measured() as extra:
                self.stack.renew(past)
        period = int(past.period[past.targets[-1]])
        self.lab.rng = np.random.default_rng([self.lab.seed, period])  # so that a resumed run draws the same
        self.blend, renewal = close_period(self.strategy, self.blend, past, self.lab, self.calibration, self.stack)
        return Renewal(renewal.cost + extra, renewal.notes)

    def score(self, cases: Stream) -> np.ndarray:
        assert self.blend is not None, "renew first"
        scores = self.lab.score(self.blend, cases)
        if self.blend.calibration is None:
            return scores
        columns = self.stack.columns(cases) if self.stack is not None else None
        return self.blend.calibration.apply(scores, columns)

    def save(self, folder: Path) -> None:
        assert self.blend is not None, "renew first"
        self.blend.save(folder, self.lab.base_path)

    def load(self, folder: Path, past: Stream) -> None:
        """Goes on from a saved blend; `past` is what it was renewed with."""
        self.blend = Blend.load(folder)
        if self.stack is not None:
            self.stack.renew(past)
