"""Reptile (Nichol et al. 2018, arXiv 1803.02999): first-order meta-learning over periods.

Each period is a task. A meta adapter is moved a little towards what training on the period makes of it;
what serves is the meta adapter trained on the newest period.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Lab, Settings


class Reptile(Settings):
    step: float = Field(0.5, gt=0, le=1)  # share of the way to the adapted weights
    epochs: int = Field(1, ge=1)  # per task
    lr: float | None = Field(None, gt=0)  # None: the fit's rate from scratch

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        meta = blend.kept["meta"] if blend is not None else None
        periods = np.unique(past.period[past.targets])
        for period in periods if blend is None else periods[-1:]:
            task = past.in_periods(int(period), int(period))
            adapted = lab.fit(task, start=meta, lr=self.lr or lab.options.lr, epochs=self.epochs)
            meta = adapted if meta is None else towards(meta, adapted, self.step)
        return Blend.of(adapted, kept={"meta": meta})


def towards(start: Adapter, end: Adapter, share: float) -> Adapter:
    """`start` moved `share` of the way to `end`, in the space of the factors, as Reptile moves parameters."""
    weights = {n: (w + np.float32(share) * (end.weights[n] - w)).astype(np.float32) for n, w in start.weights.items()}
    return Adapter(start.shape, weights, {**end.lineage, "parents": [start.hash, end.hash], "moved": share})
