"""TF-IDF vectors of terms (scikit-learn): what `columns` and `tfidf` are. Furniture of this room.

A fit on part of 9,671 titles, and the vectors of all, take 0.5 CPU s; arithmetic of our own took 0.2, which is a few
seconds of a whole run. Terms are cut from texts once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from regraft.prompts.similarity.protocol import Vectors

SEEN = 1 << 17  # items whose terms are kept, for all fits of a process
TermsOf: TypeAlias = Callable[[tuple[str, ...], tuple[Any, ...]], list[str]]


class Terms:
    """Sublinear term frequency times IDF, rows of length 1; a term that no known item had is left out."""

    rung: str

    def __init__(self) -> None:
        self._model: Any = None  # None: no known item has a term

    @staticmethod
    def terms(columns: tuple[str, ...], texts: tuple[Any, ...]) -> list[str]:
        """The terms of one item: its texts, one per column, None where it has none."""
        raise NotImplementedError

    def fit(self, items: pl.DataFrame) -> None:
        found = self._terms(items)
        self._model = _vectorizer().fit(found) if any(found) else None

    def vectors(self, items: pl.DataFrame) -> Vectors:
        from scipy.sparse import csr_array  # here: commands that only look at a site start sooner

        if self._model is None or not len(items):
            return csr_array((len(items), 1 if self._model is None else len(self._model.idf_)), dtype=np.float32)
        return csr_array(self._model.transform(self._terms(items)))

    def arrays(self) -> dict[str, np.ndarray]:
        if self._model is None:
            return {"terms": np.array([], dtype="U1"), "idf": np.zeros(0)}
        return {"terms": self._model.get_feature_names_out().astype(str), "idf": self._model.idf_}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._model = None
        if len(arrays["terms"]):
            self._model = _vectorizer(vocabulary=arrays["terms"].tolist())
            self._model.idf_ = arrays["idf"]

    def _terms(self, items: pl.DataFrame) -> list[list[str]]:
        columns = tuple(name for name in items.columns if name != "item_id")
        texts = items.select(columns).iter_rows() if columns else ((),) * len(items)
        return [_seen(self.terms, columns, one) for one in texts]


@lru_cache(maxsize=SEEN)
def _seen(terms: TermsOf, columns: tuple[str, ...], texts: tuple[Any, ...]) -> list[str]:
    return terms(columns, texts)


def _vectorizer(vocabulary: list[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=_as_they_are, sublinear_tf=True, dtype=np.float32, vocabulary=vocabulary)


def _as_they_are(terms: list[str]) -> list[str]:
    return terms


def values(columns: tuple[str, ...], texts: tuple[Any, ...]) -> list[str]:
    """Attribute values as `column=value`, in lower case; "Music, Horror" are two values."""
    return [
        f"{column}={value}"
        for column, text in zip(columns, texts, strict=True)
        if column != "title" and text
        for value in (part.strip().lower() for part in str(text).split(","))
        if value
    ]
