"""How often an item was liked before the cut, older likes counting less."""

from __future__ import annotations

import numpy as np

from regraft.baselines.features import fit_logistic
from regraft.cost import Renewal, measured
from regraft.data.regimes import UNITS, Regime
from regraft.data.stream import Stream


class Popularity:
    """Likes decayed by half every `half_life` days; one logistic turns the logarithm into log-odds."""

    def __init__(self, regime: Regime, seed: int = 0, half_life: float = 30.0) -> None:
        self.half_life = half_life * UNITS["d"]

    def renew(self, past: Stream) -> Renewal:
        with measured() as cost:
            newest, _ = past.split_last()
            # Fitted on the newest period with the popularity that was known when it began.
            before = past.until(int(newest.period[newest.targets[-1]]))
            known = self._counts(before, len(past.items))
            self.model = fit_logistic(
                np.log1p(known[newest.item[newest.targets]])[:, None], newest.labels, "baseline popularity"
            )
            self.counts = self._counts(past, len(past.items))
        cost.stored_interactions = len(past.items)
        return Renewal(cost)

    def score(self, cases: Stream) -> np.ndarray:
        item = cases.item[cases.targets]
        known = np.where(item < len(self.counts), self.counts[np.minimum(item, len(self.counts) - 1)], 0.0)
        return self.model.decision_function(np.log1p(known)[:, None])

    def _counts(self, view: Stream, n_items: int) -> np.ndarray:
        if not len(view.time):
            return np.zeros(n_items)
        weight = np.exp2((view.time - view.time[-1]) / self.half_life) * view.label * view.happened
        return np.bincount(view.item, weights=weight, minlength=n_items)
