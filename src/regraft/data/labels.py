"""What counts as "liked": a rule declared in words, never a column the user must prepare.

    rating > 3          value >= 4          event == "click"          implicit

`implicit` takes every row as liked and adds, for each, negatives sampled from the items that existed
at that time and that the user had not touched by then.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from regraft.data.draws import below
from regraft.errors import ConfigError, DataError

COMPARE: dict[str, Callable[..., Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
RULE = re.compile(r"""\s*(rating|value|event)\s*(>=|<=|==|!=|>|<)\s*("[^"]*"|'[^']*'|-?\d+(?:\.\d+)?)\s*""")


@dataclass(frozen=True)
class LabelRule:
    """A parsed rule; `expression()` gives 1/0 per row, null where the compared field is empty."""

    text: str

    def __post_init__(self) -> None:
        if self.text.strip() != "implicit":
            self._parts()

    @property
    def implicit(self) -> bool:
        return self.text.strip() == "implicit"

    def _parts(self) -> tuple[str, str, str]:
        match = RULE.fullmatch(self.text)
        quoted = match is not None and match[3][0] in "\"'"
        if not match or (match[1] == "event") != quoted:
            raise ConfigError(
                f"label rule '{self.text}'",
                "cannot be read",
                'e.g. rating > 3, value >= 4, event == "click", or implicit',
            )
        return match[1], match[2], match[3]

    def expression(self) -> pl.Expr:
        if self.implicit:
            return pl.lit(1, dtype=pl.Int8)
        field, sign, value = self._parts()
        operand = value[1:-1] if field == "event" else float(value)
        column = pl.col("event" if field == "event" else "value")
        return COMPARE[sign](column, operand).cast(pl.Int8)

    def of(self, event: str, value: float | None) -> int:
        """1 or 0 of one event; 0 where it has no value to compare."""
        row = pl.DataFrame({"event": [event], "value": [value]}, schema={"event": pl.String, "value": pl.Float64})
        return int(row.select(self.expression().alias("label"))["label"].fill_null(0)[0])

    def apply(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with a `label` column; a rule under which no row or every row is liked is refused."""
        labelled = rows.with_columns(self.expression().alias("label"))
        missing = labelled["label"].null_count()
        if missing:
            raise DataError(
                f"label rule '{self.text}'",
                f"{missing:,} of {len(rows):,} rows have no value to compare",
                "a value in every row",
                "For a log without ratings use the rule: implicit",
            )
        if not self.implicit and labelled["label"].n_unique() < 2:
            raise DataError(
                f"label rule '{self.text}'",
                f"gives every one of {len(rows):,} rows the same label",
                "a rule that some rows meet and others do not",
                "Look at the values with: regraft data inspect PATH",
            )
        return labelled


def sample_negatives(
    user: np.ndarray, item: np.ndarray, known_at: np.ndarray, row_id: np.ndarray, per_positive: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(position of the positive, item code, number of the draw) of each negative.

    Rows are in the order they became known, codes by first appearance. A draw depends on the row's id, the seed
    and the past alone, so a prefix of the log always gets the same negatives, and one row more or less redraws
    nothing for the others. Rows for which ten draws find no untouched item get fewer.
    """
    # Items that existed strictly before or at the row's instant: the codes below the running maximum.
    existing = np.maximum.accumulate(item)[np.searchsorted(known_at, known_at, side="right") - 1] + 1
    n_items = np.int64(item.max() + 1)
    pairs = user.astype(np.int64) * n_items + item
    order = np.argsort(pairs, kind="stable")
    unique, first = np.unique(pairs[order], return_index=True)
    touched_at = known_at[order[first]]
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for draw in range(per_positive):
        open_rows = np.arange(len(item))
        for attempt in range(10):
            drawn = below(row_id[open_rows], existing[open_rows], seed, draw, attempt)
            key = user[open_rows].astype(np.int64) * n_items + drawn
            at = np.minimum(np.searchsorted(unique, key), len(unique) - 1)
            taken = (unique[at] == key) & (touched_at[at] <= known_at[open_rows])
            rows = open_rows[~taken]
            found.append((rows, drawn[~taken].astype(np.int32), np.full(len(rows), draw)))
            open_rows = open_rows[taken]
            if not len(open_rows):
                break
    positive, code, number = (np.concatenate(column) for column in zip(*found, strict=True))
    return positive, code, number
