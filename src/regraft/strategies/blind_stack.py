"""The stack baseline as a lab's blends use it: fitted once per past, whoever asks. Furniture of this room."""

from __future__ import annotations

from regraft.baselines.stack import Stack
from regraft.data.stream import Stream
from regraft.strategies.protocol import Lab


def stack_of(lab: Lab) -> Stack:
    """A stack that is not fitted yet, under the lab's regime, seed and similarity."""
    return Stack(lab.regime, lab.seed, lab.similarity)


def fitted_stack(past: Stream, lab: Lab) -> Stack:
    """The stack fitted on this past, as the baseline `stack` is; the newest few stay with the log."""
    key = ("fitted stack", str(lab.regime), lab.seed, lab.similarity)
    kept: dict[str, Stack] = past.shared.setdefault(key, {})
    if past.fingerprint not in kept:
        stack = stack_of(lab)
        stack.renew(past)
        while len(kept) > 3:
            del kept[next(iter(kept))]
        kept[past.fingerprint] = stack
    return kept[past.fingerprint]
