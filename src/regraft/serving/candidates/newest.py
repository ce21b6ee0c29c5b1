"""The items that came last into the catalogue: without it a new item is shown to nobody and stays unknown."""

from __future__ import annotations

from regraft.data.history import History
from regraft.serving.candidates.protocol import Snapshot

MOST = 20  # most people want none of the newest: more would take the places of items that somebody wants


class Newest:
    def __init__(self, snapshot: Snapshot) -> None:
        self.items: list[str] = snapshot.catalogue["item_id"].to_list()[: -MOST - 1 : -1]

    def of(self, history: History, n: int) -> list[str]:
        return self.items[:n]
