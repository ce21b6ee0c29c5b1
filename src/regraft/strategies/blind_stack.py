"""The stack baseline as a lab's blends use it: fitted once per past, whoever asks. Furniture of this room."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from regraft.baselines.blind import KEPT
from regraft.baselines.protocol import named, under
from regraft.baselines.stack import Stack
from regraft.cost import Cost, measured
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Lab

PREFIX = "stack"  # of its arrays in Blend.fitted
OFFSET = "offset"  # arrays of a blend's `fitted` that are those of the stack which its head corrects


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
        while len(kept) >= KEPT:
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


def blind_log_odds(past: Stream, view: Stream, lab: Lab) -> np.ndarray:
    """float64 per example of the view: log-odds of the stack fitted on what was before the example's period.

    Of an example that has nothing to fit a stack on before it: the like-rate of what is there, in the first period
    of the past that of the period itself.
    """
    found, period = np.zeros(len(view)), view.period[view.targets]
    if lab.dry:
        return found
    for number in np.unique(period).tolist():
        mine, before = period == number, past.until(number)
        if not len(before):
            found[mine] = like_log_odds(past.in_periods(number, number))
            continue
        try:
            found[mine] = fitted_stack(before, lab).score(view.only(mine))
        except DataError:
            found[mine] = like_log_odds(before)
    return found


def like_log_odds(view: Stream) -> float:
    """Log-odds of a like among the examples, one of each kind added."""
    likes = int(view.labels.sum())
    return float(np.log((likes + 1) / (len(view) - likes + 1)))


def offset_arrays(past: Stream, lab: Lab) -> dict[str, np.ndarray]:
    """The stack fitted on this past, as `score_in_full` takes it from a blend; DataError where none can be fitted."""
    return {} if lab.dry else named(OFFSET, fitted_stack(past, lab).arrays())


def score_in_full(blend: Blend, view: Stream, lab: Lab) -> np.ndarray:
    """Log-odds per example before the blend's calibration: those of the lab, and of the stack that a head corrects."""
    scores, arrays = lab.score(blend, view), under(OFFSET, blend.fitted)
    if not arrays:
        return scores
    with measured() as cost:
        stack = stack_of(lab)
        stack.restore(arrays)
        scores = scores + stack.score(view)
    lab.meter.charge(cost)
    return scores
