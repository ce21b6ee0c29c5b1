"""A standardised logistic regression as four arrays; scikit-learn fits it. Furniture of this room, not a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from regraft.errors import DataError


@dataclass(frozen=True)
class Logistic:
    """log-odds = ((x - mean) / scale) . weights + bias"""

    mean: np.ndarray  # [features]
    scale: np.ndarray  # [features]
    weights: np.ndarray  # [features]
    bias: np.ndarray  # [1]

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """float64 per row of x [rows, features]."""
        return ((x - self.mean) / self.scale) @ self.weights + self.bias[0]

    @property
    def plain(self) -> tuple[float, np.ndarray]:
        """(bias, weights) on the features as they come, not standardised."""
        weights = self.weights / self.scale
        return float(self.bias[0] - (weights * self.mean).sum()), weights

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(vars(self))

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> Logistic:
        return cls(arrays["mean"], arrays["scale"], arrays["weights"], arrays["bias"])


def fit_logistic(x: np.ndarray, label: np.ndarray, where: str) -> Logistic:
    """Fitted on x [rows, features]; refuses examples of one class only."""
    from sklearn.linear_model import LogisticRegression  # seconds that only a fit has to wait
    from sklearn.preprocessing import StandardScaler

    demand_both_labels(label, where)
    scaler = StandardScaler()
    model = LogisticRegression(C=1.0, max_iter=1000).fit(scaler.fit_transform(x), label)
    return Logistic(scaler.mean_, scaler.scale_, model.coef_[0], model.intercept_)


def demand_both_labels(label: np.ndarray, where: str) -> None:
    """Refuses examples of one class only: a classifier fitted on them says nothing, or the opposite."""
    if len(np.unique(label)) < 2:
        raise DataError(where, f"{len(label):,} examples, all with one label", "likes and dislikes to learn from")
