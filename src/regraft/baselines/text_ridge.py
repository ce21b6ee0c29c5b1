"""Ridge regressions from an item's text vector to its mean residual: over all of the past, and over what is new.

Furniture of this room, not a baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from regraft.baselines.blind import Kept, kept
from regraft.baselines.protocol import named, under
from regraft.cost import Cost
from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.facts import fact_table
from regraft.prompts.similarity.protocol import NONE, similarity_of

STRENGTH = 10.0  # of the penalty
HALF_LIFE = 1.0  # periods after which an example counts half, for the second one
PRIOR = 5.0  # examples without a residual added to an item's own


class TextRidge:
    """What the words of an item led to expect, beyond what its users like: two numbers per item.

    One learns from all of the past alike, the other mostly from the newest period: what people like may turn. How
    much either is worth is for those to find out who use them.
    """

    names = ("text_ridge", "text_ridge_new")

    def __init__(self, similarity: str) -> None:
        self.setting, self.similarity = similarity, similarity_of(similarity)
        self._served: dict[tuple[Any, ...], np.ndarray] = {}  # what requests asked about, by texts

    def fit(self, past: Stream, regime: Regime) -> TextRidge:
        """On the examples of the past: a residual is a label minus the user's rate as of the example."""
        from sklearn.linear_model import Ridge  # seconds that only a fit has to wait

        self._served.clear()
        rows, n_items = past.targets, len(past.items)
        expected = past.labels.mean() if past.implicit else fact_table(past, regime)["user_rate"].to_numpy()[rows]
        known = np.unique(past.item[rows])
        items = past.items[known]
        self.similarity.fit(items)
        vectors = self.similarity.vectors(items).astype(np.float64)
        age = past.period[rows[-1]] - past.period[rows]
        fitted = []
        for weight in (np.ones(len(rows)), np.exp2(-age / HALF_LIFE)):
            n = np.bincount(past.item[rows], weight, minlength=n_items)[known]
            residual = np.bincount(past.item[rows], weight * (past.labels - expected), minlength=n_items)[known]
            fitted.append(Ridge(alpha=STRENGTH, solver="lsqr").fit(vectors, residual / (n + PRIOR), n))
        self.weights = np.stack([model.coef_ for model in fitted], axis=1)
        self.bias = np.array([model.intercept_ for model in fitted])
        return self

    def score(self, view: Stream | Request) -> np.ndarray:
        """float64 [examples or candidates, 2]: the expected residual of each one's item."""
        if isinstance(view, Request):
            return self._known(view.candidates)
        code, example = np.unique(view.item[view.targets], return_inverse=True)
        return self._expected(view.items[code])[example]

    def _known(self, items: pl.DataFrame) -> np.ndarray:
        """As `_expected`, worked out once per item: the next requests ask about the same ones."""
        texts = items.rows()
        new = [place for place, row in enumerate(texts) if row not in self._served]
        if new:
            self._served.update(zip([texts[k] for k in new], self._expected(items[new]), strict=True))
        return np.array([self._served[row] for row in texts]).reshape(-1, len(self.names))

    def _expected(self, items: pl.DataFrame) -> np.ndarray:
        vectors = self.similarity.vectors(items).astype(np.float64)
        return np.asarray(vectors @ self.weights + self.bias)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights, "bias": self.bias} | named("similarity", self.similarity.arrays())

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._served.clear()
        self.weights, self.bias = arrays["weights"], arrays["bias"]
        self.similarity.restore(under("similarity", arrays))


def ridge_of(past: Stream, regime: Regime, similarity: str) -> Kept:
    """The TextRidge fitted on this past; None for the similarity `none`."""
    if similarity == NONE:
        return Kept(None, Cost())
    return kept(past, ("text ridge", str(regime), similarity), lambda: TextRidge(similarity).fit(past, regime))


def restored_ridge(arrays: Mapping[str, np.ndarray], similarity: str) -> TextRidge | None:
    """The ridge that gave the arrays under `ridge.`."""
    if similarity == NONE:
        return None
    ridge = TextRidge(similarity)
    ridge.restore(under("ridge", arrays))
    return ridge
