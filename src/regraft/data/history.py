"""One user's history and one request: what a prompt is written from, whether it comes from a log or from a caller.

A `History` holds the events of one user that were known at some instant, in the order they became known. A
`Request` adds the candidates to be scored at that instant. Neither refers to a log: a request holds what its own
prompts need, so that its cost does not depend on the size of the log. `requests_of` makes requests from a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.data.text import clean_items
from regraft.errors import DataError


@dataclass(frozen=True)
class Events:
    """Events to be written in words; arrays and `facts` have one entry per event."""

    items: pl.DataFrame  # texts, one row per item code
    item: np.ndarray  # codes
    label: np.ndarray  # int8
    facts: pl.DataFrame | None = None  # numbers as of each event (prompts/facts.py)


@dataclass(frozen=True)
class History:
    """The known events of one user, oldest first.

    `items` and `facts` have one row per event: item_id, title and attributes (text), and the numbers as of the event
    (columns as in prompts/facts.py). Only the newest events need to be held: `before` says how many older ones are
    left out.
    """

    user: str
    items: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"item_id": pl.String}))
    label: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))  # 1 = liked
    time: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # ms, UTC, ascending: when known
    facts: pl.DataFrame | None = None
    before: int = 0

    def __post_init__(self) -> None:
        counts = {"items": len(self.items), "label": len(self.label), "time": len(self.time)}
        if self.facts is not None:
            counts["facts"] = len(self.facts)
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            raise DataError(self._name, f"holds {found}", "one of each per event")
        if (np.diff(self.time) < 0).any():
            raise DataError(self._name, "has an event before an older one", "events in the order they became known")

    def __len__(self) -> int:
        """Number of events held."""
        return len(self.label)

    @property
    def known(self) -> int:
        """Number of events known, held or not."""
        return self.before + len(self)

    @property
    def _name(self) -> str:
        return f"history of user '{self.user}'"

    @classmethod
    def of(
        cls, stream: Stream, user: int, facts: pl.DataFrame | None = None, known: int | None = None,
        last: int | None = None,
    ) -> History:  # fmt: skip
        """The first `known` (default: all) events of the user with this code; of these only the `last` are held.

        `facts` is a table with one row per row of the stream.
        """
        start, end = (int(place) for place in stream.order.start[user : user + 2])
        end = end if known is None else start + known
        first = start if last is None else max(start, end - last)
        rows = stream.order.rows[first:end]
        return cls(
            user=str(stream.user_ids[user]),
            items=stream.items[stream.item[rows]],
            label=stream.label[rows],
            time=stream.known_at[rows],
            facts=None if facts is None else facts[rows],
            before=first - start,
        )

    def last(self, n: int) -> History:
        """The same history, holding its newest `n` events at most."""
        return self._part(slice(max(0, len(self) - n), len(self)))

    def as_of(self, time: int, regime: Regime, period_start: int | None = None) -> History:
        """The events that the regime lets a request at `time` know; `period_start` is needed by `frozen` alone."""
        return self._part(slice(0, regime.known_at(self.time, time, period_start)))

    def _part(self, part: slice) -> History:
        return replace(
            self,
            items=self.items[part],
            label=self.label[part],
            time=self.time[part],
            facts=None if self.facts is None else self.facts[part],
            before=self.before + part.start,
        )


@dataclass(frozen=True)
class Request:
    """Candidates to be scored for one user at `time`; `history` is what is known of the user then.

    `candidates` and `facts` have one row per candidate: item_id, title and attributes, and the numbers as of `time`.
    """

    history: History
    candidates: pl.DataFrame
    time: int
    facts: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.facts is not None and len(self.facts) != len(self.candidates):
            found = f"has {len(self.candidates):,} candidates and {len(self.facts):,} rows of facts"
            raise DataError(self._name, found, "one row of facts per candidate")
        for side, items in (("history", self.history.items), ("candidates", self.candidates)):
            if "item_id" not in items.columns:
                raise DataError(
                    self._name, f"the items of its {side} have no column item_id", "item_id, title and attributes"
                )
        if len(self.history) and self.history.time[-1] > self.time:
            raise DataError(
                self._name,
                f"its history has an event at {self.history.time[-1]}, after the request at {self.time}",
                "events that were known at the time of the request",
                "Cut the history with: history.as_of(time, regime)",
            )

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self.candidates)

    @property
    def _name(self) -> str:
        return f"request for user '{self.history.user}'"

    def last(self, n: int) -> Request:
        """The same request with the newest `n` events of the history at most."""
        return replace(self, history=self.history.last(n))

    def events(self, facts: Sequence[str] = (), fields: Sequence[str] | None = None) -> Events:
        """The events of the history, then the candidates; with these facts of each, and these fields (None: all)."""
        sides = [self.history.items, self.candidates]
        if fields is not None:
            sides = [side[[c for c in side.columns if c in ("item_id", "title", *fields)]] for side in sides]
        items = pl.concat(sides, how="diagonal_relaxed")
        return Events(
            items=clean_items(items),
            item=np.arange(len(items)),
            label=np.concatenate([self.history.label, np.zeros(len(self), np.int8)]),
            facts=self._facts(facts) if facts else None,
        )

    def _facts(self, names: Sequence[str]) -> pl.DataFrame:
        parts = [pl.DataFrame(schema=dict.fromkeys(names, pl.Float64))]
        for side, table, n in (
            ("history", self.history.facts, len(self.history)),
            ("candidates", self.facts, len(self)),
        ):
            if not n:
                continue
            missing = [name for name in names if table is None or name not in table.columns]
            if table is None or missing:
                raise DataError(
                    self._name,
                    f"the facts of its {side} lack {', '.join(missing)}",
                    "every fact that the template shows, as of each event and candidate",
                )
            parts.append(table.select(names))
        return pl.concat(parts, how="vertical_relaxed")


def requests_of(
    view: Stream, regime: Regime, facts: pl.DataFrame | None = None, last: int | None = None
) -> Iterator[tuple[np.ndarray, Request]]:
    """(numbers of examples, request) for all examples of the view, as they would be asked for in service.

    Examples of one user at one instant that know the same events are one request. `facts` has one row per row of the
    stream; a history holds its `last` events at most.
    """
    if not len(view):
        return
    rows = view.targets
    known = view.order.known(view.users, regime.known(view, rows))
    key = np.stack([view.users.astype(np.int64), known, view.known_at[rows]])
    groups, number = np.unique(key, axis=1, return_inverse=True)
    order = np.argsort(number.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(number.ravel(), minlength=groups.shape[1]))
    for (user, seen, time), examples in zip(groups.T.tolist(), np.split(order, ends[:-1]), strict=True):
        mine = rows[examples]
        yield (
            examples,
            Request(
                history=History.of(view, user, facts, seen, last),
                candidates=view.items[view.item[mine]],
                time=time,
                facts=None if facts is None else facts[mine],
            ),
        )
