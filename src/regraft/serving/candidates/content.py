"""Items whose titles and attributes are like those of what the user liked: new items from their first day on."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from regraft.data.history import History
from regraft.prompts.similarity.tfidf import Tfidf
from regraft.serving.candidates.protocol import Snapshot

RECENT = 10  # liked items of a user that are asked about


class Content:
    def __init__(self, snapshot: Snapshot) -> None:
        items = snapshot.catalogue
        similarity = Tfidf()
        similarity.fit(items)
        self.vectors = csr_array(similarity.vectors(items))
        self.ids: list[str] = items["item_id"].to_list()
        self.code = {item: k for k, item in enumerate(self.ids)}

    def of(self, history: History, n: int) -> list[str]:
        liked = history.items["item_id"].filter(history.label > 0).to_list()[-RECENT:]
        codes = [self.code[item] for item in liked if item in self.code]
        if not codes:
            return []
        taste = np.zeros(self.vectors.shape[1], dtype=self.vectors.dtype)
        for code in codes:
            own = slice(*self.vectors.indptr[code : code + 2])
            taste[self.vectors.indices[own]] += self.vectors.data[own]
        alike = self.vectors @ taste
        alike[codes] = 0.0
        best = np.argsort(-alike, kind="stable")[:n]
        return [self.ids[k] for k in best if alike[k] > 0]
