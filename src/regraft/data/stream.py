"""The ordered periods of one log, and views of it that cannot show the future.

A stream is a set of equally long arrays in the order in which rows became known: by (known_at, row_id). A view
is a *prefix* of those arrays plus the positions of the rows that count as examples, so a row at or
after the cut is not hidden in it but absent from it. Codes of users and items are given in order of
first appearance, which makes every code and count of a prefix independent of what comes later; so are
cuts, item texts and hashes of a view, and the sampled negatives of a closed period (which may show an
item before its first event). A log that grows leaves every earlier view as it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from regraft.data.draws import uniform
from regraft.data.periods import Cuts
from regraft.data.user_order import UserOrder
from regraft.errors import DataError

WARM_UP = 0
ROW_COLUMNS = ("row_id", "user", "item", "time", "known_at", "label", "period", "happened")


@dataclass(frozen=True)
class Stream:
    """Rows in the order they became known; row number = position. Periods count from 1; period 0 is the warm-up.

    `targets` are the rows that are examples in this view; all rows are history. `cuts[p - 1]` is the
    start of period p in ms (UTC), `cuts[-1]` the exclusive end of the last one. `happened` is False
    for sampled negatives: they are examples, never history. A late row (known_at > time) is never an example.
    """

    row_id: np.ndarray  # int64, names the row for ever; below 0 for sampled negatives
    user: np.ndarray  # int32 codes
    item: np.ndarray  # int32 codes
    time: np.ndarray  # int64, ms since 1970 UTC: when it happened
    known_at: np.ndarray  # int64, ms, ascending: `time`, or later for rows that arrived late
    label: np.ndarray  # int8, 1 = liked
    period: np.ndarray  # int32, ascending
    happened: np.ndarray  # bool
    targets: np.ndarray  # int64 positions, ascending
    user_ids: pl.Series
    items: pl.DataFrame  # one row per item code: item_id, title, attributes
    cuts: tuple[int, ...]
    gap: int = 0  # ms between the end of what an update may see and the period it is tested on
    name: str = "stream"
    implicit: bool = False  # every row that happened is a like: there are no dislikes but sampled ones
    item_versions: pl.DataFrame | None = None  # where texts changed: item_id, known_at, title, attributes
    frozen: Cuts | None = None  # the rule behind `cuts`, for a log that grows; None in views
    offered: np.ndarray | None = None  # int64 ms per item code, ascending: since when it is on offer
    newest_from: int | None = None  # period with which the newest examples begin; None: the last period that has any
    # What was worked out about the whole log, for all its views; a stream with other rows must get a new one.
    shared: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.targets)

    @property
    def n_periods(self) -> int:
        return len(self.cuts) - 1

    # -- views ---------------------------------------------------------------------------------

    def until(self, period: int) -> Stream:
        """What an update may see just before `period` begins: no row at or after its cut (minus the gap)."""
        if not 1 <= period <= self.n_periods + 1:
            raise DataError(f"stream '{self.name}'", f"has no cut {period}", f"1 to {self.n_periods + 1}")
        end = int(np.searchsorted(self.period, period))
        if self.gap:
            end = min(end, int(np.searchsorted(self.known_at, self.cuts[period - 1] - self.gap)))
        return self._prefix(end, self.cuts[:period])

    def through(self, period: int) -> Stream:
        """The rows up to the end of `period`, however long the gap: what there was when it was over."""
        return self._prefix(int(np.searchsorted(self.period, period + 1)), self.cuts[: period + 1])

    def cases(self, period: int) -> Stream:
        """The examples of one period with the history up to them: what a contender is asked to score.

        The view ends behind its last row: when the period will be closed is not known inside it. Items have the texts
        they had when it began.
        """
        end = int(np.searchsorted(self.period, period + 1))
        last = int(self.known_at[end - 1]) + 1 if end else self.cuts[0]
        began = self.cuts[period - 1]
        seen = self._prefix(end, (*self.cuts[:period], max(last, began + 1)), texts=began)
        return seen.only(seen.period[seen.targets] == period)

    def only(self, keep: np.ndarray | slice) -> Stream:
        """The same history, fewer examples: `keep` is a mask over (or indices into) the examples."""
        return self._with(self.targets[keep])

    def in_periods(self, first: int, last: int) -> Stream:
        """Examples of periods first..last (inclusive)."""
        period = self.period[self.targets]
        return self.only((period >= first) & (period <= last))

    def split_last(self) -> tuple[Stream, Stream]:
        """(newest, older): the examples of the newest period that has any, and those before it.

        Where updates come every few periods, `newest_from` says with which period the newest examples begin.
        """
        period = self.period[self.targets]
        first = period[-1:] if self.newest_from is None else np.minimum(period[-1:], self.newest_from)
        newest = period >= first if len(period) else np.zeros(0, dtype=bool)
        return self.only(newest), self.only(~newest)

    def newest_since(self, period: int) -> Stream:
        """The same view; `period` is the first one whose examples count as the newest."""
        return self._with(self.targets, newest_from=period)

    def hold_out(self, share: float) -> tuple[Stream, Stream]:
        """(rest, held): the last `share` of the newest period's examples in time order, and all others."""
        newest, _ = self.split_last()
        held = self.targets[len(self) - round(share * len(newest)) :]
        return self.only(~np.isin(self.targets, held)), self._with(held)

    def sample(self, n: float, rng: np.random.Generator, weights: np.ndarray | None = None) -> Stream:
        """`n` examples drawn without replacement (all, when there are fewer), in the stream's order.

        An example is drawn by its row id and one number from `rng`, so one more or less redraws no other
        (Efraimidis and Spirakis 2006: the largest u ** (1 / weight)).
        """
        size = min(len(self), round(n))
        log_u = np.log(uniform(self.ids, int(rng.integers(2**62))))
        with np.errstate(divide="ignore"):
            keys = log_u if weights is None else log_u / weights
        return self.only(np.sort(np.argsort(-keys, kind="stable")[:size]))

    def of_users(self, users: np.ndarray) -> Stream:
        """Examples of the given user codes; everybody's history stays."""
        return self.only(np.isin(self.user[self.targets], users))

    def __add__(self, other: Stream) -> Stream:
        """Examples of both views, over the longer of the two histories."""
        longer = self if len(self.time) >= len(other.time) else other
        return longer._with(np.union1d(self.targets, other.targets))

    def _with(self, targets: np.ndarray, **more: Any) -> Stream:
        """The same rows with other examples; what was worked out about the rows goes along."""
        view = replace(self, targets=targets, **more)
        view.__dict__.update(
            {n: self.__dict__[n] for n in ("order", "hashes", "rows_hash", "_by_id") if n in self.__dict__}
        )
        return view

    def _prefix(self, end: int, cuts: tuple[int, ...], texts: int | None = None) -> Stream:
        """The rows [0, end) and the texts that their items had at the time `texts`, by default the last of the cuts."""
        cut = int(np.searchsorted(self.targets, end))
        n_users = int(self.user[:end].max()) + 1 if end else 0
        n_items = int(self.item[:end].max()) + 1 if end else 0
        if self.offered is not None and end:  # those on offer by its last row are in the view too
            n_items = max(n_items, int(np.searchsorted(self.offered, self.known_at[end - 1], side="right")))
        items, versions = self.items[:n_items], self.item_versions
        if versions is not None:
            known = versions.filter(pl.col("known_at") < (cuts[-1] if texts is None else texts))
            versions = known.filter(pl.col("item_id").is_in(items["item_id"].implode()))
            items = newest(versions)
        view = replace(
            self,
            **{name: getattr(self, name)[:end] for name in ROW_COLUMNS},
            targets=self.targets[:cut],
            user_ids=self.user_ids[:n_users],
            items=items,
            item_versions=versions,
            cuts=cuts,
            frozen=None,
            offered=None if self.offered is None else self.offered[:n_items],
        )
        if "order" in self.__dict__:
            view.__dict__["order"] = self.order.until(end, n_users)
        whole_periods = end > 0 and (end == len(self.period) or self.period[end] != self.period[end - 1])
        if "hashes" in self.__dict__ and whole_periods:  # they are those of the log: no row is hashed again
            view.__dict__["hashes"] = {p: h for p, h in self.hashes.items() if p <= self.period[end - 1]}
        return view

    # -- columns of the examples ---------------------------------------------------------------

    @property
    def labels(self) -> np.ndarray:
        """int8 per example."""
        return self.label[self.targets]

    @property
    def users(self) -> np.ndarray:
        """User code per example."""
        return self.user[self.targets]

    @cached_property
    def order(self) -> UserOrder:
        """Each user's own time line over the rows that happened."""
        return UserOrder.of(self.user, self.happened)

    @property
    def ids(self) -> np.ndarray:
        """Row id per example."""
        return self.row_id[self.targets]

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """int64 per id: the row's position, -1 where this view has no such row."""
        sorter = self._by_id
        at = np.minimum(np.searchsorted(self.row_id, ids, sorter=sorter), max(len(sorter) - 1, 0))
        if not len(sorter):
            return np.full(len(ids), -1)
        return np.where(self.row_id[sorter[at]] == ids, sorter[at], -1)

    @cached_property
    def _by_id(self) -> np.ndarray:
        """Positions in the order of row ids."""
        return np.argsort(self.row_id, kind="stable")

    @cached_property
    def hashes(self) -> dict[int, str]:
        """Per period of this view: a hash of all rows up to its end."""
        digest, found = hashlib.blake2b(digest_size=16), {}
        edges = np.flatnonzero(np.diff(self.period, prepend=-1, append=-1))
        for first, end in pairwise(edges):
            for name in ROW_COLUMNS:
                digest.update(np.ascontiguousarray(getattr(self, name)[first:end]).tobytes())
            found[int(self.period[first])] = digest.hexdigest()
        return found

    def scored_under(self, period: int) -> str:
        """Names what a score of a row of the period may depend on: all rows up to its end, and their items' texts."""
        seen = self.items[: int(self.item[: np.searchsorted(self.period, period + 1)].max()) + 1]
        digest = hashlib.blake2b(self.hashes[period].encode(), digest_size=16)
        digest.update(seen.hash_rows(seed=0).to_numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def rows_hash(self) -> str:
        """Hash of everything visible but the choice of examples: rows, item texts, cuts."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((list(self.hashes.values())[-1:], self.cuts, self.gap)).encode())
        digest.update(self.items.hash_rows(seed=0).to_numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the rows and the examples."""
        digest = hashlib.blake2b(self.rows_hash.encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.targets).tobytes())
        return digest.hexdigest()

    def texts(self, time: int) -> pl.DataFrame:
        """The items with the texts that were known before `time` (ms), in code order."""
        if self.item_versions is None:
            return self.items
        return newest(self.item_versions.filter(pl.col("known_at") < time))

    def warm_up(self) -> Stream:
        """The warm-up rows as examples: what a small base model is built from.

        Sampled negatives are examples too, or the base of an implicit log would learn that everything is liked.
        """
        before = self._prefix(int(np.searchsorted(self.period, WARM_UP + 1)), self.cuts[:1])
        return before._with(np.arange(len(before.time)))

    def describe(self) -> str:
        """One line: rows, examples, users, items, span."""
        if not len(self.time):
            return f"{self.name}: no rows"
        first, last = (datetime.fromtimestamp(self.time[i] / 1000, UTC).date() for i in (0, -1))
        return (
            f"{self.name}: {len(self.time):,} rows, {len(self):,} examples, {len(self.user_ids):,} users, "
            f"{len(self.items):,} items, {first} to {last}, {self.n_periods} periods"
        )


def code_by_first_appearance(ids: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """(codes, unique ids): codes 0, 1, 2... in order of first appearance."""
    unique = ids.unique(maintain_order=True)
    codes = ids.replace_strict(unique, pl.Series(np.arange(len(unique), dtype=np.int32)), return_dtype=pl.Int32)
    return codes.to_numpy(), unique


def newest(versions: pl.DataFrame) -> pl.DataFrame:
    """The last version of every item, in the order of their first."""
    return versions.unique("item_id", keep="last", maintain_order=True).drop("known_at")
