"""LSAT-TA (arXiv 2312.15599): the long-term and the short-term adapter merged into one.

`exact` merges the weight changes; `lsat-paper` averages the factors A and B, as the released code does.
The merge weight is picked by log-loss on the last tenth of the newest period, which neither the
short-term adapter nor the grid's candidates were trained on.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.fine_tune import HELD_OUT
from regraft.strategies.protocol import Lab, Settings


class LsatMerge(Settings):
    how: Literal["exact", "lsat-paper"] = "exact"
    rank: int | None = Field(None, ge=1)  # cut the merged adapter to this rank
    # Of the long-term adapter, tried.
    weights: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field((0.1, 0.3, 0.5, 0.7, 0.9), min_length=1)

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        newest, _ = past.split_last()
        train, held = newest.hold_out(HELD_OUT)
        rest, _ = past.hold_out(HELD_OUT)
        long = lab.fit(rest, stop=held) if blend is None else blend.kept["long"]
        short = lab.fit(train, stop=held)
        merged = [lab.merge([(long, a), (short, 1.0 - a)], self.how, self.rank) for a in self.weights]
        losses = [lab.log_loss(Blend.of(adapter), held) for adapter in merged]
        best = losses.index(min(losses)) if len(held) else len(losses) // 2
        lab.notes.append(f"merge weight of the long-term adapter: {self.weights[best]}")
        return Blend(((merged[best], 1.0),), mode="merge", kept={"long": long})
