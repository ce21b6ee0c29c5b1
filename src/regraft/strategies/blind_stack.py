"""The stack baseline as a lab's blends use it: fitted once per past, whoever asks. Furniture of this room."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from regraft.baselines.protocol import under
from regraft.baselines.stack import Stack
from regraft.cost import Cost, measured
from regraft.data.stream import Stream
from regraft.strategies.protocol import Lab

PREFIX = "stack"  # of its arrays in Blend.fitted


def stack_of(lab: Lab) -> Stack:
    """A stack that is not fitted yet, under the lab's regime, seed and similarity."""
    return Stack(lab.regime, lab.seed, lab.similarity)


def fitted_stack(past: Stream, lab: Lab) -> Stack:
    """The stack fitted on this past, as the baseline `stack` is; the newest few stay with the log.

    It is fitted once and charged to the lab's meter in full every time.
    """
    key = ("fitted stack", str(lab.regime), lab.seed, lab.similarity)
    kept: dict[str, tuple[Stack, Cost]] = past.shared.setdefault(key, {})
    if past.fingerprint not in kept:
        stack = stack_of(lab)
        cost = stack.renew(past).cost
        while len(kept) > 3:
            del kept[next(iter(kept))]
        kept[past.fingerprint] = stack, cost
    stack, cost = kept[past.fingerprint]
    lab.meter.charge(cost)
    return stack


def saved_stack(fitted: Mapping[str, np.ndarray], lab: Lab) -> Stack | None:
    """The stack that a blend carries in `fitted`; None where it carries none."""
    arrays = under(PREFIX, fitted)
    if not arrays:
        return None
    stack = stack_of(lab)
    stack.restore(arrays)
    return stack


def stack_scores(stack: Stack, view: Stream, lab: Lab) -> np.ndarray:
    """Its log-odds per example; the lab's meter is charged."""
    with measured() as cost:
        scores = stack.score(view)
    lab.meter.charge(cost)
    return scores
