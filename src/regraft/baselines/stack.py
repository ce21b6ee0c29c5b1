"""A logistic regression on every causal feature, on item texts and on boosting: all that a classical model can do here.

It is the honest control of every contender with a language model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import validate_call

from regraft.baselines.blind import Kept, kept, out_of_sample
from regraft.baselines.boosting import Boosting
from regraft.baselines.features import FEATURES, features
from regraft.baselines.logistic import Logistic, fit_logistic
from regraft.baselines.protocol import SimilaritySetting, named, under
from regraft.baselines.text_ridge import TextRidge, restored_ridge, ridge_of
from regraft.cost import Renewal, measured
from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.alike import CONTENT
from regraft.prompts.similarity.protocol import NONE, similarity_of


class Stack:
    """Boosting and the text ridge enter by what they predicted *before* a period: their scores on rows not seen.

    `similarity` says how item texts are compared; `none` leaves them out. `columns(cases)` are the inputs of the
    logistic, `names` their names, which a blend's stack calibration uses too.
    """

    @validate_call(config={"arbitrary_types_allowed": True})
    def __init__(self, regime: Regime, seed: int = 0, similarity: SimilaritySetting = "tfidf") -> None:
        self.regime, self.seed, self.similarity = regime, seed, similarity
        self.facts = FEATURES if similarity == NONE else (*FEATURES, *CONTENT)
        self.names = (*self.facts, *(() if similarity == NONE else TextRidge.names), "boosting")

    @property
    def rung(self) -> str:
        """Its place on the ladder (regraft.rungs)."""
        return "neighbours" if self.similarity == NONE else similarity_of(self.similarity).rung

    def renew(self, past: Stream) -> Renewal:
        with measured() as cost:
            x, examples = self.out_of_sample(past)
            self.model = fit_logistic(x, examples.labels, "baseline stack")
            boosting, ridge = self._boosting(past), ridge_of(past, self.regime, self.similarity)
            self.boosting, self.ridge = boosting.made, ridge.made
        cost = cost + boosting.spared + ridge.spared  # in full, whoever needed the same first
        cost.stored_interactions = len(past.time)
        return Renewal(cost)

    def score(self, cases: Stream | Request) -> np.ndarray:
        return self.model.decision_function(self.columns(cases))

    def columns(self, cases: Stream | Request) -> np.ndarray:
        """float64 [examples, names]."""
        return self._columns(cases, self.ridge, self.boosting)

    def out_of_sample(self, past: Stream) -> tuple[np.ndarray, Stream]:
        """(columns, examples) of the newest periods, boosting and ridge fitted before each of them."""
        return out_of_sample(past, self._blind)

    def seen_before(self, past: Stream, view: Stream) -> np.ndarray:
        """Columns of examples of the past, boosting and ridge fitted on the periods before each example's own."""
        columns = np.zeros((len(view), len(self.names)))
        period = view.period[view.targets]
        for number in np.unique(period):
            mine = view.only(period == number)
            before = past.until(int(number))
            if not len(before):
                before = past.only(~np.isin(past.targets, view.targets))
            columns[period == number] = self._blind(mine, before)
        return columns

    def _blind(self, view: Stream, before: Stream) -> np.ndarray:
        return self._columns(view, ridge_of(before, self.regime, self.similarity).made, self._boosting(before).made)

    def _columns(self, view: Stream | Request, ridge: TextRidge | None, boosting: Boosting) -> np.ndarray:
        text = [] if ridge is None else [ridge.score(view)]
        x = features(view, self.regime, self.facts, self.similarity)
        return np.column_stack([x, *text, boosting.of_features(x[:, : len(FEATURES)])])

    def _boosting(self, past: Stream) -> Kept:
        """Boosting fitted on this past."""

        def fitted() -> Boosting:
            model = Boosting(self.regime, self.seed)
            model.renew(past)
            return model

        return kept(past, ("stack", str(self.regime), self.seed), fitted)

    def arrays(self) -> dict[str, np.ndarray]:
        ridge = {} if self.ridge is None else named("ridge", self.ridge.arrays())
        return named("logistic", self.model.arrays()) | named("boosting", self.boosting.arrays()) | ridge

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.model = Logistic.restored(under("logistic", arrays))
        self.boosting = Boosting(self.regime, self.seed)
        self.boosting.restore(under("boosting", arrays))
        self.ridge = restored_ridge(arrays, self.similarity)
