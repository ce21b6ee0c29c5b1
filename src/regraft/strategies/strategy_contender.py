"""The one wrapper that makes any strategy a contender: it holds the blend between periods."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from regraft.baselines.stack import Stack
from regraft.cost import Cost, Renewal
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.anchored import Anchored
from regraft.lm.blend import Blend, Calibration
from regraft.prompts.facts import fact_table
from regraft.strategies.blind_stack import saved_stack, score_in_full, stack_scores
from regraft.strategies.close_period import CalibrationKind, Closed, close_period
from regraft.strategies.contender import described_in, save_contender
from regraft.strategies.protocol import Lab, Strategy

BLEND = "blend"


class StrategyContender:
    """Holds the blend between periods."""

    def __init__(
        self, strategy: Strategy, lab: Lab, calibration: CalibrationKind = "none", use: str = "",
    ) -> None:  # fmt: skip
        self.strategy, self.lab, self.calibration = strategy, lab, calibration
        self.use = use  # name of the plug-in
        self.closed: Closed | None = None
        self.blend: Blend | None = None

    def renew(self, past: Stream) -> Renewal:
        self.closed = close_period(self.strategy, self.blend, past, self.lab, self.calibration)
        self._take(self.closed.blend)
        return self.closed.renewal

    def score(self, cases: Stream) -> np.ndarray:
        blend = self._blend
        scores = score_in_full(blend, cases, self.lab)
        if blend.calibration is None:
            return scores
        if isinstance(blend.calibration, Anchored):
            facts = fact_table(cases, self.lab.regime)[cases.targets]
            stack = stack_scores(self._stack, cases, self.lab)
            counts = (facts[name].to_numpy() for name in ("item_count", "user_count"))
            return blend.calibration.apply(scores, stack, *counts)
        return blend.calibration.apply(scores)

    def charge(self, took: Cost) -> Cost:
        """In full also for scores that the lab had kept, and for those of the stack."""
        return self.lab.meter.reset()

    @property
    def passes(self) -> int:
        return self._blend.passes

    def save(self, folder: Path) -> None:
        described: dict[str, Any] = {
            "kind": "strategy",
            "use": self.use,
            "settings": getattr(self.strategy, "model_dump", dict)(),
            "regime": str(self.lab.regime),
            "seed": self.lab.seed,
            "calibration": self.calibration,
        }
        save_contender(folder, described, lambda part: self._blend.save(part / BLEND, self.lab.base_path))

    def load(self, folder: Path) -> None:
        described_in(folder, "strategy")
        blend = Blend.load(folder / BLEND)
        if isinstance(blend.calibration, Calibration) and blend.calibration.features:
            raise ModelError(
                f"contender '{folder}'", "has a stack calibration of an earlier version, fitted without an anchor",
                "one that was renewed by this version", "Begin anew: another run folder",
            )  # fmt: skip
        self._take(blend)

    @property
    def _blend(self) -> Blend:
        if self.blend is None:
            raise ModelError(f"contender {type(self.strategy).__name__}", "has no blend yet", "renew or load before it")
        return self.blend

    @cached_property
    def _stack(self) -> Stack:
        """The stack behind the blend's calibration."""
        stack = saved_stack(self._blend.fitted, self.lab)
        if stack is None:
            raise ModelError("blend", "is calibrated beside a stack that it does not carry", "a blend of close_period")
        return stack

    def _take(self, blend: Blend) -> None:
        self.blend = blend
        self.__dict__.pop("_stack", None)
