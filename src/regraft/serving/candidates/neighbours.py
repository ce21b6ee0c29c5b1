"""What those liked who liked the same: cosine of likes between items, the nearest of each liked item."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scipy.sparse import csr_array

from regraft.data.history import History
from regraft.serving.candidates.protocol import Snapshot

NEAREST = 50  # kept per item
RECENT = 20  # liked items of a user that are asked about
SHRINK = 10.0  # likes in common that count for nothing


class Neighbours:
    def __init__(self, snapshot: Snapshot) -> None:
        stream, rows = snapshot.stream, snapshot.liked
        n_users, n_items = len(stream.user_ids), len(stream.items)
        ones = np.ones(len(rows), dtype=np.float32)
        likes = csr_array((ones, (stream.user[rows], stream.item[rows])), shape=(n_users, n_items))
        likes.data[:] = 1.0
        norm = np.sqrt(np.asarray(likes.sum(axis=0)).ravel() + SHRINK)
        together = csr_array(likes.T @ likes)
        self.ids: list[str] = stream.items["item_id"].to_list()
        self.code = {item: k for k, item in enumerate(self.ids)}
        self.near: list[list[tuple[int, float]]] = []
        for k in range(n_items):
            part = slice(together.indptr[k], together.indptr[k + 1])
            other, count = together.indices[part], together.data[part]
            other, count = other[other != k], count[other != k]
            cosine = count / (norm[k] * norm[other])
            best = np.argsort(-cosine, kind="stable")[:NEAREST]
            self.near.append(list(zip(other[best].tolist(), cosine[best].tolist(), strict=True)))

    def of(self, history: History, n: int) -> list[str]:
        votes: defaultdict[int, float] = defaultdict(float)
        liked = history.items["item_id"].filter(history.label > 0).to_list()[-RECENT:]
        for item in liked:
            for other, cosine in self.near[self.code[item]] if item in self.code else ():
                votes[other] += cosine
        best = sorted(votes, key=lambda other: (-votes[other], other))[:n]
        return [self.ids[other] for other in best]
