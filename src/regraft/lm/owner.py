"""Whose text a kept state or score is read from: a hash that tells nobody who it is, but finds what is theirs."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import polars as pl


def owner_of(user_id: object) -> np.ndarray:
    """uint64 [2] for one id, as streams name the person: of a site's rows that is the uid."""
    return np.frombuffer(blake2b(str(user_id).encode(), digest_size=16, person=b"regraft owner").digest(), np.uint64)


def owners_of(user_ids: pl.Series, users: np.ndarray) -> np.ndarray:
    """uint64 [n, 2] for codes of users, `user_ids` being what they stand for."""
    found, index = np.unique(users, return_inverse=True)
    if not len(found):
        return np.zeros((0, 2), np.uint64)
    return np.stack([owner_of(user) for user in user_ids.gather(found).to_list()])[index]


def owned_by(owners: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """bool per row of `owners` [n, 2]: is it this one's [2]?"""
    return np.asarray((owners == owner).all(axis=1))
