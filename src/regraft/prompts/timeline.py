"""The block rule: which history stands before a target. No text, no tokens, only positions.

A user's events are numbered 0, 1, 2... in time order. A target that knows the first p of them (p from
the regime) belongs to block p // H. Its prefix is the events from max(0, (p // H) * H - W) up to p: W
events of context and fewer than H more, whatever the period, the cut or the batch. Training, testing and
serving therefore read the same prefix. A target with p equal to its own number stands *in line*: it
becomes history by having its answer appended. Any other target (its predecessors' labels were not yet
known) is an isolated copy at the end of the prefix it knew, seen by nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regraft.data.regimes import Regime
from regraft.data.stream import Stream


@dataclass(frozen=True)
class Shape:
    """W events of context, H targets per block."""

    context: int = 10
    targets: int = 20


@dataclass(frozen=True)
class Layout:
    """One entry per example of the view, in the view's order."""

    rows: np.ndarray  # the example's row in the stream
    user: np.ndarray
    known: np.ndarray  # p: how many of the user's events it knows
    start: np.ndarray  # number of the first event of its prefix
    block: np.ndarray  # p // H
    in_line: np.ndarray  # bool


def lay_out(view: Stream, regime: Regime, shape: Shape) -> Layout:
    """Where every example of a view stands."""
    rows, user = view.targets, view.users
    known = view.order.known(user, regime.known(view, rows))
    block = known // shape.targets
    return Layout(
        rows=rows,
        user=user,
        known=known,
        start=np.maximum(block * shape.targets - shape.context, 0),
        block=block,
        in_line=view.happened[rows] & (view.order.index[rows] == known),
    )
