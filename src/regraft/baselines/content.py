"""Rates and the texts of items: a logistic regression on content facts and on a ridge from text to like-rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import validate_call

from regraft.baselines.blind import out_of_sample
from regraft.baselines.features import features
from regraft.baselines.logistic import Logistic, demand_both_labels, fit_logistic
from regraft.baselines.protocol import SimilaritySetting, named, under
from regraft.baselines.text_ridge import TextRidge, restored_ridge, ridge_of
from regraft.cost import Renewal, measured
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.alike import CONTENT
from regraft.prompts.similarity.protocol import NONE, similarity_of


class Content:
    """The ridge enters by what it predicted before a period. Similarity `none` leaves the rates alone."""

    @validate_call(config={"arbitrary_types_allowed": True})
    def __init__(self, regime: Regime, seed: int = 0, similarity: SimilaritySetting = "tfidf") -> None:
        self.regime, self.similarity = regime, similarity
        self.names: tuple[str, ...] = ("item_rate", "recent", "user_lean")
        if similarity != NONE:
            self.names += CONTENT
        self.ridge: TextRidge | None = None

    @property
    def rung(self) -> str:
        """Its place on the ladder (regraft.rungs)."""
        return "rates" if self.similarity == NONE else similarity_of(self.similarity).rung

    def renew(self, past: Stream) -> Renewal:
        demand_both_labels(past.labels, "baseline content")
        with measured() as cost:
            x, examples = out_of_sample(past, self._blind)
            self.model = fit_logistic(x, examples.labels, "baseline content")
            ridge = ridge_of(past, self.regime, self.similarity)
            self.ridge = ridge.made
        cost = cost + ridge.spared  # in full, whoever needed the same first
        cost.stored_interactions = len(past.time)
        return Renewal(cost)

    def score(self, cases: Stream) -> np.ndarray:
        return self.model.decision_function(self._columns(cases, self.ridge))

    def _blind(self, view: Stream, before: Stream) -> np.ndarray:
        return self._columns(view, ridge_of(before, self.regime, self.similarity).made)

    def _columns(self, view: Stream, ridge: TextRidge | None) -> np.ndarray:
        x = features(view, self.regime, self.names, self.similarity)
        return x if ridge is None else np.column_stack([x, ridge.score(view)])

    def arrays(self) -> dict[str, np.ndarray]:
        ridge = {} if self.ridge is None else named("ridge", self.ridge.arrays())
        return named("logistic", self.model.arrays()) | ridge

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.model = Logistic.restored(under("logistic", arrays))
        self.ridge = restored_ridge(arrays, self.similarity)
