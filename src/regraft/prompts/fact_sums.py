"""The running sums that facts are computed from, by integer code; the one place where facts are computed.

`FactSums` takes events in time order, one or a million at a time, and answers about any user, item and time. A fact
table of a log (facts.py) is what it gives when it takes the whole log; a service keeps one with names and files
(fact_state.py). An answer costs the user's history and the candidates: every other look-up is a binary search.

The sums behind `kin` are those as of the start of a chunk: a period, or a slice of the warm-up (period 0). What the
content facts are fitted on (alike.py) is as of the start of a period; in the warm-up it is renewed when the known rows
have doubled. Of more than MOST_KNOWN items those with the most events by then stand for all: what is fitted sees them,
and the nearest are sought among them, so that time and memory grow with the rows of a log and not with the square of
its items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from regraft.data.asof import AsOf, Grown
from regraft.data.neighbours import votes
from regraft.data.pair_sums import PairSums
from regraft.data.regimes import UNITS, Regime
from regraft.prompts.alike import Alike
from regraft.prompts.known_rows import KnownRows
from regraft.prompts.similarity.protocol import NONE

PRIOR_ITEM = 10.0  # average ratings added to an item's own, so that one like is not "100 %"
PRIOR_IMPLICIT = 0.5  # choices added on both sides where there are no dislikes
PRIOR_USER = 5.0
RECENT = 10
WARM_UP_SLICE = 25_000  # rows of the warm-up after which the neighbour sums are renewed
SLICE = 1 << 18  # rows of a log that are told at once: what is worked out on the way to their facts is let go of
MOST_KNOWN = 50_000  # items that content facts are fitted on
NEVER = 365 * 24.0  # hours of pause where the user has no known event
GROWN = ("likes", "rated", "appeared", "user", "index")
Columns = dict[str, np.ndarray]


class FactSums:
    """State of all facts after the events taken so far.

    `implicit`: the log has no dislikes. With a `similarity` it gives the content facts too and wants to know the
    items' texts. Without `kin` it leaves that column out, and the work behind it. `period` counts the periods closed;
    rows are numbered as they are taken. Not for use by several threads at once.
    """

    def __init__(
        self, regime: Regime, refresh: str = "event", implicit: bool = False, similarity: str = NONE, kin: bool = True
    ) -> None:
        self.clock, self.implicit = KnownRows(regime, refresh), implicit
        self.alike = None if similarity == NONE else Alike(similarity)
        self.kin = kin
        self.begun = -1  # row at which the current chunk began; -1: it has not yet
        self.summed = 0  # rows that are in the neighbour sums
        self.sums = PairSums()
        self.items = AsOf(summed=("likes",))
        self.users = AsOf(plain={"item": np.int32, "residual": np.float64}, summed=("likes", "lean"))
        self.time = Grown(np.zeros(0, dtype=np.int64))  # ms, when a row happened
        self.likes, self.rated = Grown(np.zeros(1)), Grown(np.zeros(1, dtype=np.int64))  # among the first k rows
        self.appeared = Grown(np.zeros(0, dtype=np.int64))  # rows at which an item had its first event
        self.user = Grown(np.zeros(0, dtype=np.int32))  # per row: -1 where it did not happen, or is quiet
        self.index = Grown(np.zeros(0, dtype=np.int64))  # per row: events of its user before it

    @property
    def rows(self) -> int:
        """Rows taken."""
        return self.clock.rows

    @property
    def period(self) -> int:
        """Periods closed."""
        return self.clock.period

    # -- what it is told -------------------------------------------------------------------------

    def know(self, items: pl.DataFrame) -> None:
        """The texts of all items by code, item_id among them; needed before their events if there is a similarity."""
        if self.alike is not None:
            self.alike.know(items)

    def take(
        self, user: np.ndarray, item: np.ndarray, time: np.ndarray, known_at: np.ndarray,
        label: np.ndarray, happened: np.ndarray, quiet: np.ndarray | None = None,
    ) -> Columns:  # fmt: skip
        """Adds events and gives the facts of each as of itself; those that did not happen get facts, no more.

        `time` is when they happened, `known_at` when they became known (int64 ms): it ascends and follows the last
        event taken. Quiet events move their user's own facts and nobody else's; who was quiet once stays quiet.
        """
        self.items.reserve(int(item.max(initial=-1)) + 1)
        self.users.reserve(int(user.max(initial=-1)) + 1)
        self.clock.check(known_at)
        columns = (user, item, time, known_at, label, happened, happened if quiet is None else happened & ~quiet)
        found = [self._take(*(column[part] for column in columns)) for part in self._slices(len(time))]
        return {name: np.concatenate([columns[name] for columns in found]) for name in found[0]}

    def _slices(self, n: int) -> Iterator[slice]:
        """The parts of the next `n` rows that lie in one chunk each."""
        first = 0
        while first < n or n == 0:
            room = WARM_UP_SLICE - self.rows % WARM_UP_SLICE if self.period == 0 else n
            yield slice(first, min(first + room, n))
            if n == 0:
                return
            first = min(first + room, n)

    def _take(
        self, user: np.ndarray, item: np.ndarray, time: np.ndarray, known_at: np.ndarray,
        label: np.ndarray, happened: np.ndarray, counts: np.ndarray,
    ) -> Columns:  # fmt: skip
        row = np.arange(self.rows, self.rows + len(time))
        renews = self._chunk_begins()
        liked = label * happened
        self.time.extend(time)
        self.clock.known_at.extend(known_at)
        self.likes.extend(self.likes.values[-1] + np.cumsum(liked * counts, dtype=np.float64))
        self.rated.extend(self.rated.values[-1] + np.cumsum(counts))
        told = np.flatnonzero(counts)
        rank = self.items.append(item[told], row[told], likes=liked[told])
        self.appeared.extend(row[told[rank == 0]])
        known = self.clock.known(known_at, row)
        if renews and len(known):
            self._begin(int(known[0]), int(row[0]))
        about_items = self.clock.refreshed(known_at, known)
        found = self._item_facts(item, time, about_items)
        residual = label - found["item_rate"]
        index, real = np.zeros(len(time), dtype=np.int64), np.flatnonzero(happened)
        index[real] = self.users.append(
            user[real], row[real], item=item[real], residual=residual[real], likes=liked[real], lean=residual[real]
        )
        self.index.extend(index)
        self.user.extend(np.where(counts, user, -1))
        return self._with_user_facts(found, user, item, time, known, about_items)

    def close_period(self, at: int | None = None) -> None:
        """Begins the next period: rows to come belong to it.

        The neighbour sums are then renewed with what is known at the time `at` (ms); None: at the time of the first
        event or question to come. It matters under the regime `delayed` only.
        """
        self.clock.close_period()
        self.begun = -1
        if at is not None:
            self._begin(int(self.clock.known(np.array([at]), np.array([self.rows]))[0]), self.rows)

    def _chunk_begins(self) -> bool:
        if self.begun < 0:
            return True
        return self.period == 0 and self.rows % WARM_UP_SLICE == 0 and self.begun != self.rows

    def _begin(self, known: int, row: int) -> None:
        """Begins a chunk at `row`: the neighbour sums take all rows below `known`."""
        if self.alike is not None and (self.period > 0 or known >= 2 * self.alike.fitted):
            self._fit_alike(known)
        if self.kin:
            self._sum_pairs(known)
        self.begun = row

    def _fit_alike(self, known: int) -> None:
        assert self.alike is not None
        code = np.flatnonzero(self.items.size[:-1])
        first = self.items.first(code)
        order = np.argsort(first)
        code = code[order][first[order] < known]
        if len(code) > MOST_KNOWN:
            events = self.items.count(code, np.full(len(code), known))
            code = code[np.sort(np.argsort(-events, kind="stable")[:MOST_KNOWN])]
        self.alike.fit(code, known)

    def _sum_pairs(self, known: int) -> None:
        item, residual = self.users["item"], self.users["residual"]
        for first in range(self.summed, known, SLICE):
            new = np.arange(first, min(first + SLICE, known))
            new = new[self.user.values[new] >= 0]
            start, index = self.users.start[self.user.values[new]], self.index.values[new]
            self.sums.add(item[start + index], residual[start + index], start, index, item, residual)
        self.summed = max(self.summed, known)

    # -- what it is asked ------------------------------------------------------------------------

    def ask(self, user: np.ndarray, item: np.ndarray, time: np.ndarray, above: np.ndarray | None = None) -> Columns:
        """The facts of each (user, item, time) as of the time; code -1 is a stranger.

        `above` (default: all) says how many rows stand above each question, which may lie in the past of the rows
        taken, but not before the current period; it matters under the regime `paper`.

        The first question after the close of a period begins its neighbour sums, unless they have begun.
        """
        self.items.reserve(int(item.max(initial=-1)) + 1)  # an item on offer may have no event yet
        known = self.clock.known(time, np.full(len(time), self.rows) if above is None else above)
        if self._chunk_begins() and len(known):
            self._begin(int(known.min()), self.rows)
        about_items = self.clock.refreshed(time, known)
        return self._with_user_facts(self._item_facts(item, time, about_items), user, item, time, known, about_items)

    def reasons(
        self, user: int, item: np.ndarray, time: int, least: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """(events, likes, the user's liked items that are alike) per item, as of the time; code -1 is a stranger.

        Alike are other items of a similarity of at least `least`; without a similarity none are.
        """
        self.items.reserve(int(item.max(initial=-1)) + 1)
        when = np.full(len(item), time, dtype=np.int64)
        known = self.clock.known(when, np.full(len(item), self.rows))
        count = self.items.count(item, self.clock.refreshed(when, known))
        likes, alike = self.items.sum("likes", item, count), np.zeros(len(item), dtype=np.int64)
        own = np.flatnonzero(item >= 0)
        if self.alike is not None and len(own) and user >= 0:
            start = self.users.start[user]
            line = slice(start, start + int(self.users.count(np.array([user]), known[:1])[0]))
            liked = np.unique(self.users["item"][line][self.users["residual"][line] > 0])
            self.alike.reserve(int(max(item.max(), liked.max(initial=-1))) + 1)
            alike[own] = self.alike.count_alike(item[own], liked, least)
        return count, likes, alike

    def _with_user_facts(
        self, found: Columns, user: np.ndarray, item: np.ndarray, time: np.ndarray, known: np.ndarray,
        about_items: np.ndarray,
    ) -> Columns:  # fmt: skip
        average = found.pop("average")
        count = self.users.count(user, known)
        found |= self._user_facts(user, item, time, count, average)
        return found | self._content_facts(user, item, count, about_items, average)

    def _item_facts(self, item: np.ndarray, time: np.ndarray, known: np.ndarray) -> Columns:
        rated = self.rated.values[known]
        average = (self.likes.values[known] + 1) / (rated + 2)
        count = self.items.count(item, known)
        if self.implicit:
            usual = self._usual(rated, known)
            rate = (count + PRIOR_IMPLICIT) / (count + usual + 2 * PRIOR_IMPLICIT)
        else:
            rate = (self.items.sum("likes", item, count) + PRIOR_ITEM * average) / (count + PRIOR_ITEM)
        first = self.time.data[self.items.first(item)] if self.rows else time
        return {
            "item_rate": rate,
            "item_count": count.astype(np.float64),
            "item_age": np.where(count > 0, time - first, 0) / UNITS["d"],
            "average": average,
        }

    def _user_facts(
        self, user: np.ndarray, item: np.ndarray, time: np.ndarray, count: np.ndarray, average: np.ndarray
    ) -> Columns:
        mine = self.users
        newest = self.time.data[mine.row.values[mine.start[user] + np.maximum(count - 1, 0)]] if self.rows else time
        voted = {"kin": self._votes(user, item, count)} if self.kin else {}
        return voted | {
            "user_rate": (mine.sum("likes", user, count) + PRIOR_USER * average) / (count + PRIOR_USER),
            "user_lean": mine.sum("lean", user, count) / (count + PRIOR_USER),
            "user_count": count.astype(np.float64),
            "recent": (mine.sum("likes", user, count, RECENT) + average) / (np.minimum(count, RECENT) + 1),
            "last_three": (mine.sum("likes", user, count, 3) + 0.5) / (np.minimum(count, 3) + 1),
            "pause": np.where(count > 0, (time - newest) / UNITS["h"], NEVER),
        }

    def _votes(self, user: np.ndarray, item: np.ndarray, count: np.ndarray) -> np.ndarray:
        mine, line = self.users, np.where(item >= 0, count, 0)  # nothing is similar to an unknown item
        similar = self.sums.similarity(int(line.sum()))
        return votes(similar, item, mine.start[user], line, mine["item"], mine["residual"])

    def _content_facts(
        self, user: np.ndarray, item: np.ndarray, count: np.ndarray, known: np.ndarray, average: np.ndarray
    ) -> Columns:
        if self.alike is None:
            return {}
        rated = self.rated.values[known]
        usual = self._usual(rated, known) if self.implicit else None
        mine, mean = self.users, average if usual is None else np.full(len(item), 0.5)
        self.alike.reserve(max(int(item.max(initial=-1)), int(np.flatnonzero(self.items.size).max(initial=-1))) + 1)
        return self.alike.facts(
            item, known, mean, usual, self._item_sums, mine.start[user], count, mine["item"], mine["residual"]
        )

    def _item_sums(self, item: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(ratings, likes) of each item among the first `known` rows."""
        count = self.items.count(item, known)
        return count, count if self.implicit else self.items.sum("likes", item, count)

    def _usual(self, rated: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Events of an average item."""
        return rated / np.maximum(np.searchsorted(self.appeared.values, known), 1)

    # -- as plain arrays -------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything it holds but the settings."""
        own = {"time": self.time.values, "known_at": self.clock.known_at.values}
        own |= {n: getattr(self, n).values for n in GROWN}
        own["places"] = np.array([self.clock.period, self.clock.opened, self.begun, self.summed])
        parts: dict[str, AsOf | PairSums | Alike] = {"items": self.items, "users": self.users, "sums": self.sums}
        if self.alike is not None:
            parts["alike"] = self.alike
        return own | {f"{part}.{n}": a for part, held in parts.items() for n, a in held.arrays().items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> FactSums:
        """Takes over what `arrays` gave."""
        for name in ("time", *GROWN):
            setattr(self, name, Grown(arrays[name]))
        self.clock.known_at = Grown(arrays["known_at"])
        self.clock.period, self.clock.opened, self.begun, self.summed = map(int, arrays["places"])
        items, users, sums = (
            {n.removeprefix(part): a for n, a in arrays.items() if n.startswith(part)}
            for part in ("items.", "users.", "sums.")
        )
        self.items.restore(items)
        self.users.restore(users)
        self.sums = PairSums.restored(sums)
        if self.alike is not None:
            self.alike.restore({n.removeprefix("alike."): a for n, a in arrays.items() if n.startswith("alike.")})
        return self
