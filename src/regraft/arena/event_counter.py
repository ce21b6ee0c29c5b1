"""How many events a model reads for the examples of a view, counted without encoding anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.timeline import Shape, lay_out


@dataclass(frozen=True)
class EventCounter:
    """Counts by the block rule of prompts/timeline.py. What a row knows is the same in every view of its log."""

    stream: Stream
    regime: Regime
    shape: Shape
    kind: str  # of the template: "timeline" or "single"
    copies_per_block: int = 40  # isolated copies that share one reading of their prefix (lm/encode.py)

    @cached_property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        """Per row of the stream: how many of the user's events it knows, and whether it stands in line."""
        everybody = replace(self.stream, targets=np.arange(len(self.stream.time)))
        whole = lay_out(everybody, self.regime, self.shape)
        return whole.known, whole.in_line

    def read(self, targets: np.ndarray) -> int:
        """Events read for the examples at these rows, all of them in one pass."""
        if not len(targets):
            return 0
        known, in_line = (column[targets] for column in self._known)
        if self.kind == "single":
            return int((np.minimum(known, self.shape.context) + 1).sum())
        block = known // self.shape.targets
        key = self.stream.user[targets].astype(np.int64) * (int(block.max()) + 1) + block
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        start = self.shape.start(known[order][first])
        end = np.maximum(np.maximum.reduceat((known + in_line)[order], first), start)
        copies = np.add.reduceat((~in_line)[order].astype(np.int64), first)
        passes = np.maximum(1, -(-copies // self.copies_per_block))
        return int(((end - start) * passes + copies).sum())
