"""The newest period only, starting from the last adapter; the old one stays if the new is no better."""

from __future__ import annotations

from pydantic import Field

from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Lab, Settings

HELD_OUT = 0.1  # of the newest period: decides when to stop and whether the old adapter stays


class FineTune(Settings):
    lr: float | None = Field(None, gt=0)  # None: the fit's rate for incremental training
    epochs: int | None = Field(None, ge=1)
    keep_old: bool = True

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        if blend is None:
            return Blend.of(lab.fit(past))
        newest, _ = past.split_last()
        train, held = newest.hold_out(HELD_OUT)
        new = lab.fit(train, start=blend.single(), lr=self.lr, epochs=self.epochs, stop=held)
        return keep_better(blend, new, held, lab) if self.keep_old else Blend.of(new)


def keep_better(old: Blend, new: Adapter, held: Stream, lab: Lab) -> Blend:
    """The new adapter if its log-loss on the held-out rows is lower, else the old blend."""
    if not len(held):
        lab.notes.append("kept the old adapter: too few new examples to hold out any that judge the new one")
        return old
    candidate = Blend.of(new)
    before, after = lab.log_loss(old, held), lab.log_loss(candidate, held)
    if after < before:
        return candidate
    lab.notes.append(f"kept the old adapter: log-loss {after:.4f} on {len(held)} held-out rows, before {before:.4f}")
    return old
