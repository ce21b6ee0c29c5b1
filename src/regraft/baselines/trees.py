"""Boosted trees as plain arrays: what scikit-learn fitted, saved without pickle and scored to the same bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

COLUMNS = ("value", "feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "is_leaf")
BLOCK = 1 << 18  # rows times trees that are walked at once


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
        size = max(1, BLOCK // max(1, len(self.start)))
        blocks = [self._scores(x[first : first + size]) for first in range(0, len(x), size)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def _scores(self, x: np.ndarray) -> np.ndarray:
        """All trees are walked side by side, a level at a time: few calls, however many trees there are."""
        feature, threshold, missing, child = self._walk
        n_rows, n_features = x.shape
        flat, own = np.ascontiguousarray(x).ravel(), np.arange(n_rows) * n_features
        holes = np.isnan(flat).any()
        node = np.repeat(self.start[:, None], n_rows, axis=1)  # [trees, rows]
        while True:
            value = flat[own + feature[node]]
            left = value <= threshold[node]
            if holes:
                left |= np.isnan(value) & missing[node]
            onward = child[2 * node + left]
            if np.array_equal(onward, node):  # every row is in a leaf of every tree
                break
            node = onward
        scores = np.full(n_rows, self.baseline[0])
        for values in self.nodes["value"][node]:
            scores += values
        return scores

    @cached_property
    def _walk(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(feature, threshold, whether missing values go left, node to the right and to the left in turn) per node.

        Both children of a leaf are itself.
        """
        n, count = self.nodes, len(self.nodes["value"])
        own, leaf = np.arange(count), n["is_leaf"].astype(bool)
        first = np.repeat(self.start, np.diff(self.start, append=count))
        sides = [np.where(leaf, own, first + n[side].astype(np.int64)) for side in ("right", "left")]
        feature = np.where(leaf, 0, n["feature_idx"].astype(np.int64))
        return feature, n["num_threshold"], n["missing_go_to_left"] > 0, np.stack(sides, axis=1).ravel()

    def arrays(self) -> dict[str, np.ndarray]:
        return {**self.nodes, "start": self.start, "baseline": self.baseline}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> Trees:
        return cls({name: arrays[name] for name in COLUMNS}, arrays["start"], arrays["baseline"])
