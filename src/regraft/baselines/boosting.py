"""Gradient boosting (scikit-learn HistGradientBoosting) on ten causal features."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from regraft.baselines.features import features
from regraft.cost import Renewal, measured
from regraft.data.regimes import Regime
from regraft.data.stream import Stream


class Boosting:
    """Refitted on all past examples at every renewal."""

    def __init__(self, regime: Regime, seed: int = 0, rounds: int = 150, rate: float = 0.08, leaves: int = 15) -> None:
        self.regime, self.seed = regime, seed
        self.settings = {"max_iter": rounds, "learning_rate": rate, "max_leaf_nodes": leaves, "min_samples_leaf": 50}

    def renew(self, past: Stream) -> Renewal:
        with measured() as cost:
            self.model = HistGradientBoostingClassifier(**self.settings, early_stopping=False, random_state=self.seed)
            self.model.fit(features(past, self.regime), past.labels)
        cost.stored_interactions = len(past.time)
        return Renewal(cost)

    def score(self, cases: Stream) -> np.ndarray:
        return self.model.decision_function(features(cases, self.regime))
