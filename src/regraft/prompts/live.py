"""What a server knows: facts, histories and items of the site up to its last close, moved on by every event.

Events of the day are taken in under caps, so that no flood can move facts before the gate has seen it: what is above
a cap is spooled like all others, and counts once its day is closed.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from regraft.data.history import History, Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.fact_state import FactState
from regraft.prompts.facts import fact_table

PER_PERSON = 50  # events of one person and day that move facts
HELD = 1000  # people who asked last, whose histories lie ready
_COLUMNS = {"user": pl.String, "item": pl.String, "time": pl.Int64, "label": pl.Int8}


@dataclass(frozen=True)
class Event:
    """Something a person did: `label` is 1 where it was liked. `time` in ms.

    `alone`: it moves the person's own history and facts, and nobody else's.
    """

    user: str  # uid, or pseudonym of a person who has none yet
    item: str
    time: int
    label: int
    alone: bool = False


@dataclass
class _Today:
    """Events of one person since the last close."""

    items: list[str] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    facts: list[tuple[pl.DataFrame, int]] = field(default_factory=list)  # of each: the table of its batch, its row


@dataclass(frozen=True)
class _Quietly:
    """What was done quietly up to the close: user, item, time, label per event, and its facts."""

    events: pl.DataFrame
    facts: pl.DataFrame
    places: Mapping[str, list[int]]  # of each user's events

    def of(self, user: str) -> pl.DataFrame | None:
        """A user's events with `at`, their places; None where there are none."""
        at = self.places.get(user)
        return None if at is None else self.events[at].with_columns(at=pl.Series(at, dtype=pl.Int64))


@dataclass(frozen=True)
class Quiet:
    """`people` object: what they do is their own history and no fact of others.

    `events`, up to the close and as they became known, are of them, and of people who were quiet from some day on.
    """

    people: Set[str] = frozenset()
    events: Sequence[Event] = ()


NOBODY = Quiet()


class Live:
    """Threads may ask and tell at the same time. What was done quietly is not in the stream."""

    def __init__(
        self, stream: Stream, catalogue: pl.DataFrame, regime: Regime, refresh: str, similarity: str, last: int,
        rested: np.ndarray | None = None, quiet: Quiet = NOBODY,
    ) -> None:  # fmt: skip
        self.stream, self.regime, self.last = stream, regime, last
        self.quiet = quiet.people
        self.catalogue = catalogue
        self._counts = np.ones(len(stream.time), dtype=bool) if rested is None else ~rested
        self._place = {item: place for place, item in enumerate(catalogue["item_id"])}
        self._items: list[str] = stream.items["item_id"].to_list()
        self.facts = FactState.of(stream, regime, refresh, similarity=similarity)
        self.facts.know(catalogue)
        self._newest = int(stream.known_at[-1]) if len(stream.known_at) else 0
        self._quiet = self._told_quietly([one for one in quiet.events if one.item in self._place])
        self.facts.close_period(stream.cuts[-1])
        self._table = fact_table(stream, regime, refresh, similarity=similarity)
        self._users = {name: code for code, name in enumerate(stream.user_ids)}
        self._today: dict[str, _Today] = {}
        self._held: OrderedDict[str, History] = OrderedDict()
        self._seen: set[tuple[str, str]] = set()  # of today
        self._lock = threading.RLock()

    def _told_quietly(self, events: Sequence[Event]) -> _Quietly:
        """What was done quietly, with its facts: those of the close, a millisecond apart."""
        columns = pl.DataFrame([(e.user, e.item, e.time, e.label) for e in events], orient="row", schema=_COLUMNS)
        if not events:
            return _Quietly(columns, pl.DataFrame(), {})
        users, items, times, labels = (columns[name].to_list() for name in _COLUMNS)
        known = self._newest + 1 + np.arange(len(events))
        facts = self.facts.take(users, items, times, labels, known_at=known, quiet=True)
        self._newest = int(known[-1])
        places = columns.with_row_index("at").group_by("user", maintain_order=True).agg("at")
        return _Quietly(columns, facts, dict(places.iter_rows()))

    @property
    def now(self) -> int:
        """Time of the newest event told, ms."""
        return self._newest

    def knows(self, item: str) -> bool:
        """Whether the item is in the catalogue or was seen in an event."""
        return item in self._place

    def tell(self, events: Sequence[Event]) -> int:
        """Moves facts and people's histories on by the events, in their order, as if each were told alone.

        How many did: not those above a cap, nor those of unknown items.
        """
        with self._lock:
            taken = self._under_caps(events)
            # Facts want time order; an event that arrives late counts as known now.
            times = np.array([self._newest, *(event.time for event in taken)], dtype=np.int64)
            self.take(taken, np.maximum.accumulate(times)[1:].tolist())
            return len(taken)

    def _under_caps(self, events: Sequence[Event]) -> list[Event]:
        """Those that may move facts: of a known item, new to the person today, and PER_PERSON of a person at most."""
        told = Counter({user: len(self._today[user].items) for user in {e.user for e in events} & self._today.keys()})
        taken: dict[tuple[str, str], Event] = {}
        for event in events:
            what = event.user, event.item
            if told[event.user] < PER_PERSON and self.knows(event.item) and not (what in self._seen or what in taken):
                taken[what] = event
                told[event.user] += 1
        return list(taken.values())

    def take(self, events: Sequence[Event], known: Sequence[int]) -> None:
        """Moves facts and histories on by events that became known at `known` (ms, ascending); without caps."""
        if not events:
            return
        with self._lock:
            users, items = [event.user for event in events], [event.item for event in events]
            times, labels = [event.time for event in events], [event.label for event in events]
            quiet = [event.alone or event.user in self.quiet for event in events]
            facts = self.facts.take(users, items, times, labels, known_at=known, quiet=quiet)
            self._newest = known[-1]
            for row, (event, at) in enumerate(zip(events, known, strict=True)):
                today = self._today.setdefault(event.user, _Today())
                today.items.append(event.item)
                today.label.append(event.label)
                today.time.append(at)
                today.facts.append((facts, row))
                self._seen.add((event.user, event.item))
                self._held.pop(event.user, None)

    def history(self, user: str) -> History:
        """The newest events of a person; empty for a stranger. It lies ready until the person's next event."""
        with self._lock:
            found = self._held.pop(user, None)
            if found is None:
                found = self._history(user)
            if len(found):  # strangers cost nothing, and would push others out
                self._held[user] = found
            if len(self._held) > HELD:
                self._held.popitem(last=False)
            return found

    def _history(self, user: str) -> History:
        code, own, today = self._users.get(user), self._quiet.of(user), self._today.get(user)
        past = History(user) if code is None else History.of(self.stream, code, self._table, last=self.last)
        if own is not None:
            past = self._longer(past, own["item"].to_list(), own["label"], own["time"], self._quiet.facts[own["at"]])
        if today is None or not today.items:
            return past
        facts = pl.concat([table[row : row + 1] for table, row in today.facts], how="vertical_relaxed")
        return self._longer(past, today.items, today.label, today.time, facts)

    def _longer(
        self, past: History, items: Sequence[str], label: ArrayLike, time: ArrayLike, facts: pl.DataFrame
    ) -> History:
        """A history with later events behind it; one that is older than what was known counts as known with it."""
        table = facts if past.facts is None else pl.concat([past.facts, facts], how="vertical_relaxed")
        times = np.concatenate([past.time, np.asarray(time, np.int64)])
        return History(
            past.user, pl.concat([past.items, self.texts(items)], how="diagonal_relaxed"),
            np.concatenate([past.label, np.asarray(label, np.int8)]), np.maximum.accumulate(times), table, past.before,
        )  # fmt: skip

    def seen(self, user: str) -> set[str]:
        """Items of all events of a person, however old, but those that have rested."""
        with self._lock:
            code, today = self._users.get(user), self._today.get(user)
            found = set(today.items) if today else set()
            own = self._quiet.of(user)
            if own is not None:
                found.update(own["item"].to_list())
            if code is not None:
                order = self.stream.order
                rows = order.rows[order.start[code] : order.start[code + 1]]
                rows = rows[self._counts[rows]]
                found.update(self._items[item] for item in self.stream.item[rows].tolist())
            return found

    def texts(self, items: Sequence[str]) -> pl.DataFrame:
        """item_id, title and attributes of the items, in their order."""
        return self.catalogue[[self._place[item] for item in items]]

    def request(self, user: str, items: list[str], time: int) -> Request:
        """The question what the person would think of the items at `time` (ms)."""
        with self._lock:
            time = max(time, self._newest + 1)  # what was told before the question is known to it
            history = self.history(user)
            return Request(history, self.texts(items), time, self.facts.ask(user, items, time))
