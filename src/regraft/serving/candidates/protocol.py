"""What a source of candidates is. Made from a snapshot of the log at a close; asked with a user's history.

One file per source; the class is the file name in CamelCase. Furniture of this room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from regraft.data.history import History
from regraft.data.stream import Stream


@dataclass(frozen=True)
class Snapshot:
    """The log of a site up to its last close, and all items it knows: `item_id`, title and attributes."""

    stream: Stream
    catalogue: pl.DataFrame

    @property
    def liked(self) -> np.ndarray:
        """Positions of rows that happened and were liked."""
        return np.flatnonzero(self.stream.happened & (self.stream.label > 0))


class Candidates(Protocol):
    """One source."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Works out what it needs, once per close."""

    def of(self, history: History, n: int) -> list[str]:
        """At most `n` item ids for the user, best first; those already known to the user may be among them."""
