"""No update: fitted once on all that is there at the first close (or not at all), then left alone."""

from __future__ import annotations

from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Lab, Settings


class Never(Settings):
    bare: bool = False  # True: the base model as it is, no adapter ever

    @property
    def rung(self) -> str:
        return "model as it came" if self.bare else "adapted"

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        if blend is not None:
            return blend
        return Blend.of(None if self.bare else lab.fit(past))

    def stored(self, past: Stream) -> int:
        return 0
