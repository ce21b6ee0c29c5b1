"""How often an item was liked before the cut, older likes counting less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field, validate_call

from regraft.baselines.logistic import Logistic, fit_logistic
from regraft.cost import Renewal, measured
from regraft.data.history import Request
from regraft.data.regimes import UNITS, Regime
from regraft.data.stream import Stream


class Popularity:
    """Likes decayed by half every `half_life` days; one logistic turns the logarithm into log-odds."""

    rung = "counts"

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
            self.end = int(past.known_at[-1]), int(past.row_id[past.happened][-1])
            counts = np.bincount(past.item, weights=self._likes(past), minlength=len(past.items))
            self.counts = dict(zip(past.items["item_id"], counts.tolist(), strict=True))
        cost.stored_interactions = len(past.items)
        return Renewal(cost)

    def score(self, cases: Stream | Request) -> np.ndarray:
        if isinstance(cases, Request):
            known = np.array([self.counts.get(i, 0.0) for i in cases.candidates["item_id"]], dtype=np.float64)
            return self.model.decision_function(np.log1p(known)[:, None])
        items, place = np.unique(cases.item[cases.targets], return_inverse=True)
        ids = cases.items["item_id"].gather(items)
        known = np.array([self.counts.get(i, 0.0) for i in ids], dtype=np.float64)[place]
        # A case of the past must not be recognised by its own like.
        at, ids = cases.known_at[cases.targets], cases.row_id[cases.targets]
        counted = (at < self.end[0]) | ((at == self.end[0]) & (ids <= self.end[1]))
        known -= np.where(counted, self._likes(cases, self.end[0])[cases.targets], 0.0)
        return self.model.decision_function(np.log1p(np.maximum(known, 0.0))[:, None])

    def arrays(self) -> dict[str, np.ndarray]:
        ids, counts = np.array(list(self.counts), dtype=np.str_), np.array(list(self.counts.values()))
        return {**self.model.arrays(), "item_ids": ids, "counts": counts, "end": np.array(self.end)}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.model, (time, row) = Logistic.restored(arrays), arrays["end"].tolist()
        self.end = time, row
        self.counts = dict(zip(arrays["item_ids"].tolist(), arrays["counts"].tolist(), strict=True))

    def _likes(self, view: Stream, end: int | None = None) -> np.ndarray:
        """What each row of the view counts at `end` (default: the view's)."""
        if not len(view.time):
            return np.zeros(0)
        age = (int(view.known_at[-1]) if end is None else end) - view.time
        return np.exp2(-age / self.half_life) * view.label * view.happened
