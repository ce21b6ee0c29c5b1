"""How often an item was liked before the cut, older likes counting less."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, validate_call

from regraft.baselines.features import fit_logistic
from regraft.cost import Renewal, measured
from regraft.data.regimes import UNITS, Regime
from regraft.data.stream import Stream


class Popularity:
    """Likes decayed by half every `half_life` days; one logistic turns the logarithm into log-odds."""

    @validate_call
    def __init__(self, regime: Regime, seed: int = 0, half_life: Annotated[float, Field(gt=0)] = 30.0) -> None:
        self.half_life = half_life * UNITS["d"]

    def renew(self, past: Stream) -> Renewal:
        with measured() as cost:
            newest, _ = past.split_last()
            # Fitted on the newest period with the popularity that was known when it began.
            before = past.until(int(newest.period[newest.targets[-1]]))
            known = np.bincount(before.item, weights=self._likes(before), minlength=len(past.items))
            self.model = fit_logistic(
                np.log1p(known[newest.item[newest.targets]])[:, None], newest.labels, "baseline popularity"
            )
            self.likes = self._likes(past)
            self.counts = np.bincount(past.item, weights=self.likes, minlength=len(past.items))
        cost.stored_interactions = len(past.items)
        return Renewal(cost)

    def score(self, cases: Stream) -> np.ndarray:
        item = cases.item[cases.targets]
        known = np.where(item < len(self.counts), self.counts[np.minimum(item, len(self.counts) - 1)], 0.0)
        counted = cases.targets < len(self.likes)  # a case of the past must not be recognised by its own like
        known[counted] -= self.likes[cases.targets[counted]]
        return self.model.decision_function(np.log1p(np.maximum(known, 0.0))[:, None])

    def _likes(self, view: Stream) -> np.ndarray:
        """What each row of the view counts at the view's end."""
        if not len(view.time):
            return np.zeros(0)
        return np.exp2((view.time - view.time[-1]) / self.half_life) * view.label * view.happened
