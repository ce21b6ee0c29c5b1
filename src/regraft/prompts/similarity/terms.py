"""TF-IDF vectors of terms: what `columns` and `tfidf` are. Furniture of this room.

A term that occurs n times in an item weighs (1 + ln n) (1 + ln((1 + items) / (1 + items with it))), as in scikit-learn
with sublinear frequencies; rows have length 1. A term that no known item had is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from regraft.prompts.similarity.protocol import Vectors

SEEN = 1 << 17  # items whose terms are kept, for all fits of a process
TermsOf: TypeAlias = Callable[[tuple[str, ...], tuple[Any, ...]], list[str]]
Counts: TypeAlias = tuple[tuple[str, ...], tuple[int, ...]]  # the different terms of an item, how often each occurs


class Terms:
    """`fit` and `vectors` of the similarities whose vectors are made of terms."""

    rung: str

    def __init__(self) -> None:
        self._column: dict[str, int] = {}  # by term
        self._idf = np.zeros(0, dtype=np.float32)  # by column

    @staticmethod
    def terms(columns: tuple[str, ...], texts: tuple[Any, ...]) -> list[str]:
        """The terms of one item: its texts, one per column, None where it has none."""
        raise NotImplementedError

    def fit(self, items: pl.DataFrame) -> None:
        with_it = Counter(chain.from_iterable(terms for terms, _ in self._counted(items)))
        self._column = {term: column for column, term in enumerate(sorted(with_it))}
        found = np.array([with_it[term] for term in self._column], dtype=np.float64)
        self._idf = (np.log((1 + len(items)) / (1 + found)) + 1).astype(np.float32)

    def vectors(self, items: pl.DataFrame) -> Vectors:
        each, find = list(self._counted(items)), self._column.get
        column = np.fromiter((find(term, -1) for terms, _ in each for term in terms), dtype=np.int32)
        times = np.fromiter(chain.from_iterable(times for _, times in each), dtype=np.float64)
        row = np.repeat(np.arange(len(each)), [len(times) for _, times in each])
        there = column >= 0
        column, times, row = column[there], times[there], row[there]
        weight = (1 + np.log(times)) * self._idf[column]
        weight /= np.sqrt(np.bincount(row, weight * weight, minlength=len(each)))[row]
        start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(each)))])
        return csr_array((weight.astype(np.float32), column, start), shape=(len(each), max(1, len(self._idf))))

    def arrays(self) -> dict[str, np.ndarray]:
        return {"terms": np.array(list(self._column), dtype=str), "idf": self._idf}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._column = {term: column for column, term in enumerate(arrays["terms"].tolist())}
        self._idf = arrays["idf"].astype(np.float32)

    def _counted(self, items: pl.DataFrame) -> Iterator[Counts]:
        columns = tuple(name for name in items.columns if name != "item_id")
        texts = items.select(columns).iter_rows() if columns else ((),) * len(items)
        return (_counted(self.terms, columns, one) for one in texts)


@lru_cache(maxsize=SEEN)
def _counted(terms: TermsOf, columns: tuple[str, ...], texts: tuple[Any, ...]) -> Counts:
    found = Counter(terms(columns, texts))
    return tuple(found), tuple(found.values())


def values(columns: tuple[str, ...], texts: tuple[Any, ...]) -> list[str]:
    """Attribute values as `column=value`, in lower case; "Music, Horror" are two values."""
    return [
        f"{column}={value}"
        for column, text in zip(columns, texts, strict=True)
        if column != "title" and text
        for value in (part.strip().lower() for part in str(text).split(","))
        if value
    ]
