"""Boosted trees as plain arrays: what scikit-learn fitted, saved without pickle and scored to the same bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

COLUMNS = ("value", "feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "is_leaf")
BLOCK = 1 << 18  # rows times trees that are scored at once
BITS = 16  # leaves per word
LOWEST = np.full(1 << BITS, 1 << 20, dtype=np.int32)  # by word: its lowest bit; far beyond all others where it has none
for _bit in range(BITS):
    LOWEST[1 << _bit :: 2 << _bit] = _bit


@dataclass(frozen=True)
class _Split:
    """What the splits by one feature leave of all leaves: QuickScorer (Lucchese et al. 2015) as a table.

    A split that a value exceeds takes away the leaves to its left. The first leaf of a tree that no split has taken is
    the one that a walk ends in.
    """

    feature: int
    thresholds: np.ndarray  # ascending
    left: np.ndarray  # [thresholds + 2, trees, words]: by how many of them a value exceeds; the last: it is missing


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees, one after the other; a tree's own numbers of `left` and `right` count from its first.

    Within a tree a node stands before all that is to its left, and this before all that is to its right.
    """

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
        n_trees, words = len(self.start), self._words
        left = np.full((len(x), n_trees, words), ~np.uint16(0))
        for split in self._splits:
            values = x[:, split.feature]
            exceeded = np.searchsorted(split.thresholds, values)
            exceeded[np.isnan(values)] = len(split.left) - 1
            left &= split.left[exceeded]
        leaf = (LOWEST.take(left) + BITS * np.arange(words, dtype=np.int32)).min(axis=2)
        added = np.empty((len(x), 1 + n_trees))
        added[:, 0] = self.baseline[0]
        added[:, 1:] = self._values.take(self._first_leaf + leaf)
        return np.asarray(np.cumsum(added, axis=1)[:, -1])  # one after the other, as no other sum adds

    @cached_property
    def _leaf(self) -> np.ndarray:
        return self.nodes["is_leaf"].astype(bool)

    @cached_property
    def _values(self) -> np.ndarray:
        """float64 [leaves of all trees]"""
        return np.asarray(self.nodes["value"][self._leaf])

    @cached_property
    def _number(self) -> np.ndarray:
        """How many leaves stand before each node, and before the end."""
        return np.concatenate([[0], np.cumsum(self._leaf)])

    @cached_property
    def _first_leaf(self) -> np.ndarray:
        """Number of each tree's first leaf."""
        return self._number[self.start]

    @cached_property
    def _words(self) -> int:
        leaves = np.diff(self._first_leaf, append=self._number[-1])
        return -(-int(leaves.max(initial=1)) // BITS)

    @cached_property
    def _splits(self) -> list[_Split]:
        n, inner = self.nodes, np.flatnonzero(~self._leaf)
        tree = np.searchsorted(self.start, inner, side="right") - 1
        first, end = (
            self._number[self.start[tree] + n[side][inner].astype(np.int64)] - self._first_leaf[tree]
            for side in ("left", "right")
        )
        place = np.arange(BITS * self._words)
        under = np.packbits((place >= first[:, None]) & (place < end[:, None]), axis=1, bitorder="little")
        taken = under.view("<u2").astype(np.uint16)  # [inner nodes, words]: the leaves to the left
        splits = []
        for feature in np.unique(n["feature_idx"][inner]):
            mine = np.flatnonzero(n["feature_idx"][inner] == feature)
            thresholds, place = np.unique(n["num_threshold"][inner[mine]], return_inverse=True)
            gone = np.zeros((len(thresholds) + 2, len(self.start), self._words), dtype=np.uint16)
            np.bitwise_or.at(gone, (place + 1, tree[mine]), taken[mine])
            gone[:-1] = np.bitwise_or.accumulate(gone[:-1], axis=0)
            lost = mine[n["missing_go_to_left"][inner[mine]] == 0]
            np.bitwise_or.at(gone[-1], tree[lost], taken[lost])
            splits.append(_Split(int(feature), thresholds, ~gone))
        return splits

    def arrays(self) -> dict[str, np.ndarray]:
        return {**self.nodes, "start": self.start, "baseline": self.baseline}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> Trees:
        return cls({name: arrays[name] for name in COLUMNS}, arrays["start"], arrays["baseline"])
