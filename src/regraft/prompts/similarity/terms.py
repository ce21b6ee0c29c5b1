"""TF-IDF vectors of terms (scikit-learn): what `columns` and `tfidf` are. Furniture of this room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from regraft.prompts.similarity.protocol import Vectors


class Terms:
    """Sublinear term frequency times IDF, rows of length 1; a term that no known item had is left out."""

    rung: str

    def __init__(self) -> None:
        self._model: Any = None  # None: no known item has a term
        self._seen: dict[tuple[Any, ...], list[str]] = {}  # terms by the texts of an item

    def terms(self, columns: list[str], texts: tuple[Any, ...]) -> list[str]:
        """The terms of one item: its texts, one per column, None where it has none."""
        raise NotImplementedError

    def fit(self, items: pl.DataFrame) -> None:
        found = self._terms(items)
        self._model = _vectorizer().fit(found) if any(found) else None

    def vectors(self, items: pl.DataFrame) -> Vectors:
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
        columns = [name for name in items.columns if name != "item_id"]
        return [self._of(columns, texts) for texts in items.select(columns).iter_rows()]

    def _of(self, columns: list[str], texts: tuple[Any, ...]) -> list[str]:
        if texts not in self._seen:
            self._seen[texts] = self.terms(columns, texts)
        return self._seen[texts]


def _vectorizer(vocabulary: list[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer  # seconds that a start need not wait

    return TfidfVectorizer(analyzer=_as_they_are, sublinear_tf=True, dtype=np.float32, vocabulary=vocabulary)


def _as_they_are(terms: list[str]) -> list[str]:
    return terms


def values(columns: list[str], texts: tuple[Any, ...]) -> list[str]:
    """Attribute values as `column=value`, in lower case; "Music, Horror" are two values."""
    return [
        f"{column}={value}"
        for column, text in zip(columns, texts, strict=True)
        if column != "title" and text
        for value in (part.strip().lower() for part in str(text).split(","))
        if value
    ]
