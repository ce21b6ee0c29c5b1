"""A new adapter from scratch on the newest period only (the short-term LoRA of LSAT)."""

from __future__ import annotations

from pydantic import Field

from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Lab, Settings


class ShortTerm(Settings):
    epochs: int | None = Field(None, ge=1)

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        newest, _ = past.split_last()
        return Blend.of(lab.fit(newest, epochs=self.epochs))
