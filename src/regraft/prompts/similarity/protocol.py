"""What a similarity of items is: vectors of their texts, whose cosine, cut at 0, says how alike two items are.

One file per similarity; the class is the file name in CamelCase. A setting names one: `none`, `columns`, `tfidf`, or
`encoder:PATH`; what stands behind the colon is handed to the class. Furniture of this room.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import polars as pl

from regraft.errors import ConfigError
from regraft.plugins import names, plugin_class

NONE = "none"
GRID = 2.0**11  # components are multiples of 1 / GRID: dot products are then exact in float32, in any order
# float32 [items, dimensions], sparse or dense; rows of length 1, or 0 where there is no text.
Vectors: TypeAlias = Any  # scipy.sparse.csr_array | np.ndarray


class Similarity(Protocol):
    """Turns items into vectors; `rung` is the place on the ladder of a baseline that uses it (regraft.rungs)."""

    @property
    def rung(self) -> str:
        """`content columns` or `text vectors`."""

    def fit(self, items: pl.DataFrame) -> None:
        """Learns what it needs (vocabulary, IDF) from the items known so far: item_id, title, attributes."""

    def vectors(self, items: pl.DataFrame) -> Vectors:
        """One row per item; a row depends on the texts of its own item alone."""

    def arrays(self) -> dict[str, np.ndarray]:
        """What `fit` learnt, in numbers and strings."""

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `arrays` gave."""


def similarity_of(text: str) -> Similarity:
    """The similarity that a setting names.

    Raises:
        ConfigError: there is no such similarity, or it takes no path, or needs one. `none` names none.
    """
    name, _, argument = text.partition(":")
    if name not in names("similarities"):
        raise ConfigError(f"similarity '{text}'", "is unknown", "one of " + ", ".join(known()))
    try:
        found: Any = plugin_class("similarities", name)(*([argument] if argument else []))
    except TypeError as error:
        told = re.sub(r"^.*?__init__\(\) |^\w+\(\) ", "", str(error))
        raise ConfigError(f"similarity '{text}'", told, "one of " + ", ".join(known())) from error
    made: Similarity = found
    return made


def known() -> list[str]:
    """The settings there are; `encoder` takes a path."""
    return [NONE, *(f"{name}:PATH" if name == "encoder" else name for name in names("similarities"))]


def checked(text: str) -> str:
    """The setting as it came; ConfigError where it names no similarity."""
    if text != NONE:
        similarity_of(text)
    return text


def on_grid(vectors: Vectors) -> Vectors:
    """Components as multiples of 1 / GRID."""
    if isinstance(vectors, np.ndarray):
        return np.rint(vectors * np.float32(GRID)) / np.float32(GRID)
    vectors.data = np.rint(vectors.data * np.float32(GRID)) / np.float32(GRID)
    return vectors
