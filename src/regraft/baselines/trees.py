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
class _Walk:
    """Nodes of all trees as a walk reads them; arrays are [nodes] but for those said otherwise."""

    order: np.ndarray  # [trees]: the deepest first
    deeper: list[int]  # by level: how many trees go on below it
    feature: np.ndarray
    threshold: np.ndarray
    missing: np.ndarray  # whether a missing value goes left
    child: np.ndarray  # [2 nodes]: to the right and to the left in turn; both children of a leaf are itself


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
        w, (n_rows, n_features) = self._walk, x.shape
        flat, own = np.ascontiguousarray(x).ravel(), np.arange(n_rows) * n_features
        holes = np.isnan(flat).any()
        node = np.repeat(self.start[w.order, None], n_rows, axis=1)  # [trees, rows], the deepest first
        for trees in w.deeper:
            at = node[:trees]
            value = flat.take(w.feature.take(at) + own)
            left = value <= w.threshold.take(at)
            if holes:
                left |= np.isnan(value) & w.missing.take(at)
            at *= 2
            at += left
            node[:trees] = w.child.take(at)
        scores, values = np.full(n_rows, self.baseline[0]), self.nodes["value"][node]
        for place in np.argsort(w.order):
            scores += values[place]
        return scores

    @cached_property
    def _walk(self) -> _Walk:
        n, count = self.nodes, len(self.nodes["value"])
        own, leaf = np.arange(count), n["is_leaf"].astype(bool)
        tree = np.repeat(np.arange(len(self.start)), np.diff(self.start, append=count))
        child = np.stack(
            [np.where(leaf, own, self.start[tree] + n[side].astype(np.int64)) for side in ("right", "left")], axis=1
        )
        depth, level = np.zeros(len(self.start), dtype=np.int64), self.start
        while len(level := level[~leaf[level]]):
            depth[tree[level]] += 1  # once per tree, however many of its nodes lie on this level
            level = child[level].ravel()
        order = np.argsort(-depth, kind="stable")
        deeper = [int((depth > k).sum()) for k in range(int(depth.max(initial=0)))]
        feature = np.where(leaf, 0, n["feature_idx"].astype(np.int64))
        return _Walk(order, deeper, feature, n["num_threshold"], n["missing_go_to_left"] > 0, child.ravel())

    def arrays(self) -> dict[str, np.ndarray]:
        return {**self.nodes, "start": self.start, "baseline": self.baseline}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> Trees:
        return cls({name: arrays[name] for name in COLUMNS}, arrays["start"], arrays["baseline"])
