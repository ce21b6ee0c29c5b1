"""Products of a few rows of a sparse matrix: in the columns that these have, dense, without a sparse matrix made."""

from __future__ import annotations

from typing import Any

import numpy as np

from regraft.data.user_order import ranges


def product_of_few(rows: Any, some: np.ndarray, few: np.ndarray) -> np.ndarray:
    """[some, few] dot products of rows with these numbers of a SciPy CSR array; its cost grows with the terms of `few`.

    The numbers are those of `rows[some] @ rows[few].T` where sums are exact.
    """
    place, column, value = _entries(rows, few)
    columns, at = np.unique(column, return_inverse=True)
    turned = np.zeros((len(columns), len(few)), dtype=rows.dtype)
    turned[at, place] = value
    place, column, value = _entries(rows, some)
    at = np.searchsorted(columns, column)
    shared = np.flatnonzero(np.append(columns, -1)[at] == column)
    dense = np.zeros((len(some), len(columns)), dtype=rows.dtype)
    dense[place[shared], at[shared]] = value[shared]
    return np.asarray(dense @ turned)


def _entries(rows: Any, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(place of its row among these, column, value) of each number that is kept."""
    start = rows.indptr[numbers].astype(np.int64)
    count = rows.indptr[numbers + 1] - start
    at = ranges(start, count)
    return np.repeat(np.arange(len(numbers)), count), rows.indices[at], rows.data[at]
