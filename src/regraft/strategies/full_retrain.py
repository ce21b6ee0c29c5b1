"""A new adapter from scratch on all history, every period."""

from __future__ import annotations

from pydantic import Field

from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Lab, Settings


class FullRetrain(Settings):
    periods: int | None = Field(None, ge=1)  # newest periods only; None: all of them

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        return Blend.of(lab.fit(self._window(past)))

    def stored(self, past: Stream) -> int:
        return len(self._window(past))

    def _window(self, past: Stream) -> Stream:
        last = int(past.period[past.targets[-1]])
        return past if self.periods is None else past.in_periods(last - self.periods + 1, last)
