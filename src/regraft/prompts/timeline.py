"""The block rule: which history stands before a target. No text, no tokens, only positions.

A user's events are numbered 0, 1, 2... in time order. A target that knows the first p of them (p from
the regime) belongs to block p // H. Its prefix is the events from max(0, (p // H) * H - W) up to p: W
events of context and fewer than H more, whatever the period, the cut or the batch. Training, testing and
serving therefore read the same prefix. A target with p equal to its own number stands *in line*: it
becomes history by having its answer appended. Any other target (its predecessors' labels were not yet
known) is an isolated copy at the end of the prefix it knew, seen by nobody else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import DataError


@dataclass(frozen=True)
class Shape:
    """W events of context, H targets per block."""

    context: int = 10
    targets: int = 20

    @property
    def reach(self) -> int:
        """Events before a target that its prompt can need, however long the history is."""
        return self.context + self.targets

    def start(self, known: np.ndarray) -> np.ndarray:
        """Number of the first event in the prefix of a target that knows so many."""
        return np.maximum(known // self.targets * self.targets - self.context, 0)


@dataclass(frozen=True)
class Layout:
    """One entry per target, in the order asked for; but for `events`, which all targets share."""

    rows: np.ndarray  # the target's own number among the events of the view or request
    user: np.ndarray
    known: np.ndarray  # p: how many of the user's events it knows
    start: np.ndarray  # number of the first event of its prefix
    block: np.ndarray  # p // H
    in_line: np.ndarray  # bool
    events: np.ndarray  # the history of every user, one after the other
    first: np.ndarray  # where in `events` the user's event 0 stands (negative: so many older ones are left out)


def lay_out(view: Stream, regime: Regime, shape: Shape) -> Layout:
    """Where every example of a view stands."""
    rows, user, order = view.targets, view.users, view.order
    known = order.known(user, regime.known(view, rows))
    return Layout(
        rows=rows,
        user=user,
        known=known,
        start=shape.start(known),
        block=known // shape.targets,
        in_line=view.happened[rows] & (order.index[rows] == known),
        events=order.rows,
        first=order.start[user],
    )


def lay_out_request(request: Request, shape: Shape) -> Layout:
    """Where every candidate of a request stands: all are isolated copies behind the history.

    A copy leaves the history as it is, so that its keys and values serve further requests.
    """
    history = request.history
    known = np.full(len(request), history.known)
    start = shape.start(known)
    if (start < history.before).any():
        raise DataError(
            f"history of user '{history.user}'",
            f"holds {len(history):,} of {history.known:,} events, the last {history.known - start[0]:,} are needed",
            f"the last W + H = {shape.reach} events, or all",
        )
    return Layout(
        rows=len(history) + np.arange(len(request)),
        user=np.full(len(request), _number(history.user)),
        known=known,
        start=start,
        block=known // shape.targets,
        in_line=np.zeros(len(request), dtype=bool),
        events=np.arange(len(history)),
        first=np.full(len(request), -history.before),
    )


def _number(user: str) -> int:
    """The same int64 for the same user in every request."""
    return int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), signed=True)
