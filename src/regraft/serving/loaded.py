"""A version in memory, ready to answer: verified, probed, and never changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regraft.data.history import Request
from regraft.errors import ModelError
from regraft.strategies.contender import Contender


@dataclass(frozen=True)
class Loaded:
    """One version. `epoch` is that of the alias when it was loaded."""

    name: str
    epoch: int
    contender: Contender
    folder: Path

    def score(self, request: Request) -> np.ndarray:
        """Log-odds, one per candidate; ModelError where one is not finite."""
        scores = np.asarray(self.contender.score_request(request), dtype=np.float64)
        if scores.shape != (len(request),) or not np.isfinite(scores).all():
            raise ModelError(
                f"version '{self.name}'",
                f"gave {int(np.isfinite(scores).sum())} finite scores for {len(request)} items", "one per item",
                "Go back to another version with: regraft rollback SITE VERSION",
            )  # fmt: skip
        return scores
