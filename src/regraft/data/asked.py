"""Questions about pairs of user and item that are no rows of a log: what ranking a list of items needs.

The pairs stand in a copy of a view, each before the row whose instant it is asked at, as rows that did not happen.
So every contender answers through its ordinary `score(cases)`, and nobody's history, counts or facts change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from regraft.data.stream import ROW_COLUMNS, Stream

ASKED = "asked"  # key in `shared` of a stream that holds questions
FIRST_ID = -1 - 2**62  # row ids of pairs lie at and below it, those of sampled negatives above


@dataclass(frozen=True)
class Asked:
    """`item[k]` asked about for the user of row `at[k]` of `log`, at its instant; `at` ascends."""

    log: Stream
    at: np.ndarray  # int64 positions in `log`
    item: np.ndarray  # int32 codes
    once: bool = False  # no later view of the log will be asked: what was worked out for that is not kept
    answers: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)  # what was worked out about them

    def __len__(self) -> int:
        return len(self.at)

    @property
    def user(self) -> np.ndarray:
        """User code per pair."""
        return self.log.user[self.at]

    @property
    def time(self) -> np.ndarray:
        """int64 ms per pair."""
        return self.log.known_at[self.at]

    @property
    def places(self) -> np.ndarray:
        """int64 per pair: its position in `stream()`."""
        return self.at + np.arange(len(self))

    def stream(self) -> Stream:
        """The rows of the log with the pairs among them; the pairs are its examples, their labels are 0."""
        own: dict[str, Any] = {
            "row_id": FIRST_ID - np.arange(len(self)),
            "item": self.item,
            "time": self.time,
            "label": np.zeros(len(self), dtype=np.int8),
            "happened": np.zeros(len(self), dtype=bool),
        }
        columns: dict[str, Any] = {
            name: np.insert(column, self.at, own.get(name, column[self.at]))
            for name, column in ((name, getattr(self.log, name)) for name in ROW_COLUMNS)
        }
        return replace(self.log, **columns, targets=self.places, frozen=None, shared={ASKED: self})
