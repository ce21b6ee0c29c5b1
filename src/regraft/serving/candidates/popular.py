"""What was liked most of late: likes that count half after a week."""

from __future__ import annotations

import numpy as np

from regraft.data.history import History
from regraft.serving.candidates.protocol import Snapshot

HALF_LIFE = 7 * 86_400_000  # ms


class Popular:
    def __init__(self, snapshot: Snapshot) -> None:
        stream, rows = snapshot.stream, snapshot.liked
        age = (stream.known_at[-1] - stream.known_at[rows]) if len(rows) else np.zeros(0)
        likes = np.bincount(stream.item[rows], weights=np.exp2(-age / HALF_LIFE), minlength=len(stream.items))
        best = np.argsort(-likes, kind="stable")
        self.items: list[str] = stream.items["item_id"].gather(best[likes[best] > 0]).to_list()

    def of(self, history: History, n: int) -> list[str]:
        return self.items[:n]
