"""Boosted trees as plain arrays: what scikit-learn fitted, saved without pickle and scored to the same bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

COLUMNS = ("value", "feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "is_leaf")


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees, one after the other; a tree's own numbers of `left` and `right` count from its first."""

    nodes: Mapping[str, np.ndarray]  # COLUMNS, each [nodes]
    start: np.ndarray  # int64 [trees]: a tree's first node
    baseline: np.ndarray  # float64 [1]: log-odds before the first tree

    @classmethod
    def of(cls, model: Any) -> Trees:
        """The trees of a fitted HistGradientBoostingClassifier of two classes."""
        trees = [tree.nodes for (tree,) in model._predictors]
        sizes = [len(nodes) for nodes in trees]
        columns = {name: np.concatenate([nodes[name] for nodes in trees]) for name in COLUMNS}
        return cls(columns, np.cumsum([0, *sizes[:-1]]), np.asarray(model._baseline_prediction, np.float64).ravel())

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """float64 per row of x [rows, features]: the same additions in the same order as scikit-learn's."""
        n = self.nodes
        scores = np.full(len(x), self.baseline[0])
        rows = np.arange(len(x))
        for first in self.start:
            node = np.full(len(x), first)
            inner = rows[~n["is_leaf"][node].astype(bool)]
            while len(inner):
                at = node[inner]
                value = x[inner, n["feature_idx"][at]]
                left = np.where(np.isnan(value), n["missing_go_to_left"][at] > 0, value <= n["num_threshold"][at])
                node[inner] = first + np.where(left, n["left"][at], n["right"][at])
                inner = inner[~n["is_leaf"][node[inner]].astype(bool)]
            scores += n["value"][node]
        return scores

    def arrays(self) -> dict[str, np.ndarray]:
        return {**self.nodes, "start": self.start, "baseline": self.baseline}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> Trees:
        return cls({name: arrays[name] for name in COLUMNS}, arrays["start"], arrays["baseline"])
