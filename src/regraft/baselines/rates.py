"""Two numbers in a logistic regression: the item's like-rate and the user's recent share of likes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from regraft.baselines.features import features
from regraft.baselines.logistic import Logistic, fit_logistic
from regraft.cost import Renewal, measured
from regraft.data.regimes import Regime
from regraft.data.stream import Stream

COLUMNS = ("item_rate", "recent")


class Rates:
    """Refitted on all past examples at every renewal."""

    def __init__(self, regime: Regime, seed: int = 0) -> None:
        self.regime = regime

    def renew(self, past: Stream) -> Renewal:
        with measured() as cost:
            self.model = fit_logistic(features(past, self.regime, COLUMNS), past.labels, "baseline rates")
        cost.stored_interactions = len(past.time)
        return Renewal(cost)

    def score(self, cases: Stream) -> np.ndarray:
        return self.model.decision_function(features(cases, self.regime, COLUMNS))

    def arrays(self) -> dict[str, np.ndarray]:
        return self.model.arrays()

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.model = Logistic.restored(arrays)
