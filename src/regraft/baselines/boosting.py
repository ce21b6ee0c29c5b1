"""Gradient boosting (scikit-learn HistGradientBoosting) on ten causal features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, validate_call

from regraft.baselines.features import features
from regraft.baselines.logistic import demand_both_labels
from regraft.baselines.trees import Trees
from regraft.cost import Renewal, measured
from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream


class Boosting:
    """Refitted on all past examples at every renewal."""

    rung = "neighbours"

    @validate_call
    def __init__(
        self, regime: Regime, seed: int = 0, rounds: Annotated[int, Field(ge=1)] = 150,
        rate: Annotated[float, Field(gt=0)] = 0.08, leaves: Annotated[int, Field(ge=2)] = 15,
    ) -> None:  # fmt: skip
        self.regime, self.seed = regime, seed
        self.settings = {"max_iter": rounds, "learning_rate": rate, "max_leaf_nodes": leaves, "min_samples_leaf": 50}

    def renew(self, past: Stream) -> Renewal:
        from sklearn.ensemble import HistGradientBoostingClassifier  # seconds that only a fit has to wait

        demand_both_labels(past.labels, "baseline boosting")
        with measured() as cost:
            self.model: Any = HistGradientBoostingClassifier(
                **self.settings, early_stopping=False, random_state=self.seed
            )
            self.model.fit(features(past, self.regime), past.labels)
        cost.stored_interactions = len(past.time)
        return Renewal(cost)

    def score(self, cases: Stream | Request) -> np.ndarray:
        return self.of_features(features(cases, self.regime))

    def of_features(self, x: np.ndarray) -> np.ndarray:
        """Log-odds per row of FEATURES."""
        return self.model.decision_function(x)

    def arrays(self) -> dict[str, np.ndarray]:
        return (self.model if isinstance(self.model, Trees) else Trees.of(self.model)).arrays()

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.model = Trees.restored(arrays)
