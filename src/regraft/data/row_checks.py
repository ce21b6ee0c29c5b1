"""Hashes of who, what and when, by which a row is known again in another state of its log."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from regraft.data.stream import Stream


def row_checks(view: Stream, rows: np.ndarray) -> np.ndarray:
    """int64 per row number of a view; a row is hashed once for all views of a log."""
    columns = view.user, view.item, view.time
    key = ("checks", *(column.ctypes.data for column in columns))
    kept, _ = view.shared.get(key, (np.zeros(0, dtype=np.int64), None))  # 0: not hashed yet
    if len(kept) < len(view.time):
        kept = np.pad(kept, (0, len(view.time) - len(kept)))
        view.shared[key] = kept, columns  # as long as they live, no other log can lie at their addresses
    new = rows[kept[rows] == 0]
    kept[new] = _hashed(
        view.user_ids.gather(view.user[new]), view.items["item_id"].gather(view.item[new]), view.time[new]
    )
    return kept[rows]


def _hashed(users: pl.Series, items: pl.Series, times: np.ndarray) -> np.ndarray:
    digests = (
        hashlib.blake2b(f"{user}\0{item}\0{time}".encode(), digest_size=8).digest()
        for user, item, time in zip(users, items, times.tolist(), strict=True)
    )
    return np.frombuffer(b"".join(digests), dtype=np.int64)
