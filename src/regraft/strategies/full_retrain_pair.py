"""Two full retrains with different seeds, probabilities averaged: the control that LSAT's ensemble lacks."""

from __future__ import annotations

from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Lab, Settings


class FullRetrainPair(Settings):
    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        first, second = lab.fit(past), lab.with_seed(lab.seed + 1).fit(past)
        return Blend(((first, 0.5), (second, 0.5)))

    def stored(self, past: Stream) -> int:
        return len(past)
