"""A logistic regression on some columns of facts: what `rates` and `item-knn` are. Furniture of this room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from regraft.baselines.features import features
from regraft.baselines.logistic import Logistic, fit_logistic
from regraft.cost import Renewal, measured
from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream


class OnFacts:
    """Refitted on all past examples at every renewal."""

    columns: ClassVar[tuple[str, ...]]
    name: ClassVar[str]
    rung: ClassVar[str]

    def __init__(self, regime: Regime, seed: int = 0) -> None:
        self.regime = regime

    def renew(self, past: Stream) -> Renewal:
        with measured() as cost:
            x = features(past, self.regime, self.columns)
            self.model = fit_logistic(x, past.labels, f"baseline {self.name}")
        cost.stored_interactions = len(past.time)
        return Renewal(cost)

    def score(self, cases: Stream | Request) -> np.ndarray:
        return self.model.decision_function(features(cases, self.regime, self.columns))

    def arrays(self) -> dict[str, np.ndarray]:
        return self.model.arrays()

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.model = Logistic.restored(arrays)
