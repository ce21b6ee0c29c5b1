"""Facts as a state: moved on by events, asked about one user's candidates, kept in one file.

Users and items go by their string ids; unknown ones get the facts of a stranger. The numbers are those of a fact
table (facts.py) of the same log under the same regime and refresh, equal to the bit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from zipfile import BadZipFile

import numpy as np
import polars as pl

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.files import whole
from regraft.prompts.alike import CONTENT
from regraft.prompts.fact_sums import Columns, FactSums
from regraft.prompts.facts import COLUMNS
from regraft.prompts.replay import Progress, replay
from regraft.prompts.similarity.protocol import NONE

FORMAT = 2


@dataclass(frozen=True)
class Reasons:
    """Counts behind the facts of some items, one per item: what can be said of them in words.

    `seen` and `liked` are the item's own events, `alike` the user's liked items whose texts are alike. `implicit`: the
    log has no dislikes.
    """

    seen: np.ndarray
    liked: np.ndarray
    alike: np.ndarray
    implicit: bool


class FactState:
    """The facts of a log after the events it was told.

    `implicit`: the log has no dislikes. A state begins in the warm-up (period 0); a log without one closes it first.
    With a `similarity` of items it gives the content facts too, from the texts that it is told with `know`. Threads
    may ask and tell at the same time: one waits for the other.
    """

    def __init__(self, regime: Regime, refresh: str = "event", implicit: bool = False, similarity: str = NONE) -> None:
        self._sums = FactSums(regime, refresh, implicit, similarity)
        self._similarity = similarity
        self._texts = pl.DataFrame(schema={"item_id": pl.String})
        self._with_texts: set[str] = set()
        self._aligned = -1  # items by code whose texts the sums know; -1: there are new texts
        self._users: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._lock = RLock()

    @classmethod
    def of(
        cls, stream: Stream, regime: Regime, refresh: str = "event", progress: Progress | None = None,
        similarity: str = NONE,
    ) -> FactState:  # fmt: skip
        """The state after all rows of a stream; the period of the last row is still open."""
        state = cls(regime, refresh, stream.implicit, similarity)
        state._users = {name: code for code, name in enumerate(stream.user_ids)}
        state._items = {name: code for code, name in enumerate(stream.items["item_id"])}
        replay(state._sums, stream, progress, names=())  # nobody asks for the facts of what is past
        state.know(stream.items)
        return state

    @property
    def rows(self) -> int:
        """Events told so far, those that did not happen included."""
        return self._sums.rows

    @property
    def period(self) -> int:
        """Number of periods closed: events to come belong to the period of this number."""
        return self._sums.period

    def know(self, items: pl.DataFrame) -> None:
        """Tells the texts of items: item_id, title and attributes, as a stream's `items` has them.

        An item that has none yet has it from now on; a new text of another counts from the next period on. A text told
        earlier is replaced, attributes that are not given included. Without a similarity nothing is kept.
        """
        if self._similarity == NONE:
            return
        with self._lock:
            both = pl.concat([self._texts, items.cast(pl.String)], how="diagonal")
            self._texts = both.unique("item_id", keep="last", maintain_order=True)
            self._with_texts = set(self._texts["item_id"])
            self._aligned = -1

    def _align(self) -> None:
        """Tells the sums the texts of all items that have a code, in the order of codes."""
        if self._similarity == NONE or self._aligned == len(self._items):
            return
        ids = pl.DataFrame({"item_id": list(self._items)}, schema={"item_id": pl.String})
        self._sums.know(ids.join(self._texts, on="item_id", how="left", maintain_order="left"))
        self._aligned = len(self._items)

    def take(
        self,
        users: Sequence[str],
        items: Sequence[str],
        time: Sequence[int] | np.ndarray,
        label: Sequence[int] | np.ndarray,
        happened: Sequence[bool] | np.ndarray | None = None,
        known_at: Sequence[int] | np.ndarray | None = None,
        quiet: bool | Sequence[bool] = False,
    ) -> pl.DataFrame:
        """Adds events and gives the facts of each as of itself, to be stored in its user's history.

        `time` (ms) is when they happened, `known_at` when they became known, the same by default: it ascends and
        follows the last event told. `label` is 1 (liked) or 0. Events that did not happen (sampled negatives) get
        facts and are remembered by nobody. Those that are `quiet` move the facts of their own users alone.

        Raises:
            DataError: columns of different lengths, another label, or events out of time order; nothing is added.
        """
        times, labels = np.asarray(time, dtype=np.int64), np.asarray(label, dtype=np.int8)
        real = np.ones(len(times), dtype=bool) if happened is None else np.asarray(happened, dtype=bool)
        known = times if known_at is None else np.asarray(known_at, dtype=np.int64)
        lengths = [len(users), len(items), len(times), len(known), len(labels), len(real)]
        if len(set(lengths)) > 1:
            raise DataError("events", f"columns of {', '.join(map(str, lengths))} rows", "one length")
        if not np.isin(labels, (0, 1)).all():
            raise DataError("events", f"label {labels[~np.isin(labels, (0, 1))][0]}", "1 (liked) or 0")
        with self._lock:
            user, item = _codes(self._users, users), _codes(self._items, items)
            self._align()
            alone = np.full(len(times), quiet)
            return self._table(self._sums.take(user, item, times, known, labels, real, alone))

    def ask(self, user: str, items: Sequence[str], time: int) -> pl.DataFrame:
        """The facts of one user with each item as of `time` (ms): one row per item, the columns of a fact table."""
        code = np.full(len(items), self._users.get(user, -1), dtype=np.int32)
        with self._lock:
            _codes(self._items, [item for item in items if item in self._with_texts])  # new, but it has a text
            self._align()
            candidates = np.array([self._items.get(item, -1) for item in items], dtype=np.int32)
            return self._table(self._sums.ask(code, candidates, np.full(len(items), time, dtype=np.int64)))

    def reasons(self, user: str, items: Sequence[str], time: int, alike: float) -> Reasons:
        """The counts behind the facts of one user with each item as of `time`; `alike`: least similarity of texts."""
        with self._lock:
            codes = np.array([self._items.get(item, -1) for item in items], dtype=np.int32)
            counts = self._sums.reasons(self._users.get(user, -1), codes, time, alike)
            return Reasons(*counts, self._sums.implicit)

    def close_period(self, at: int | None = None) -> None:
        """Begins the next period. `at` (ms): the neighbour sums take what is known then.

        None: what is known at the first event or question to come. It matters under the regime `delayed` only: a
        service that tells the events of a day after the day gives the cut, so that no question moves the sums.
        """
        with self._lock:
            self._align()
            self._sums.close_period(at)

    def save(self, path: Path) -> None:
        """Writes one file (NumPy's npz; settings and ids in it as JSON); it replaces an older one when complete."""
        sums = self._sums
        with self._lock:
            about = {
                "format": FORMAT,
                "regime": [sums.clock.regime.name, sums.clock.regime.delay],
                "refresh": sums.clock.refresh,
                "implicit": sums.implicit,
                "similarity": self._similarity,
                "texts": self._texts.to_dict(as_series=False),
                "users": list(self._users),
                "items": list(self._items),
            }
            arrays = sums.arrays() | {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
            whole(path, lambda part: _write(part, arrays))

    @classmethod
    def load(cls, path: Path) -> FactState:
        """The state that was saved, equal to the bit.

        Raises:
            DataError: the file is missing or was not written by `save`.
        """
        try:
            with np.load(path, allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            about = json.loads(arrays.pop("about").tobytes())
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']}")
            similarity = about.get("similarity", NONE)  # files of before there was one have none
            state = cls(Regime(*about["regime"]), about["refresh"], about["implicit"], similarity)
            state._sums.restore(arrays)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(
                f"fact state '{path}'",
                f"cannot be read: {error}",
                f"a file that FactState.save wrote, format {FORMAT}",
                "Make it anew from the log with FactState.of",
            ) from error
        state._users = {name: code for code, name in enumerate(about["users"])}
        state._items = {name: code for code, name in enumerate(about["items"])}
        if texts := about.get("texts"):
            state.know(pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)))
        return state

    def _table(self, columns: Columns) -> pl.DataFrame:
        names = COLUMNS if self._similarity == NONE else (*COLUMNS, *CONTENT)
        return pl.DataFrame({name: columns[name] for name in names})


def _codes(known: dict[str, int], names: Sequence[str]) -> np.ndarray:
    """Codes of the names; new names get the next ones."""
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int32)


def _write(part: Path, arrays: Columns) -> None:
    with part.open("wb") as file:  # an open file: given a path, NumPy would add an ending to its name
        np.savez(file, allow_pickle=False, **arrays)
