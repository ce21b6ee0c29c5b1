"""What counts as "liked": a rule declared in words, never a column the user must prepare.

    rating > 3          value >= 4          event == "click"          implicit

`implicit` takes every row as liked and adds, for each, sampled negatives (data/negatives.py).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from regraft.data.store import IMPRESSION
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

    @property
    def about_events(self) -> bool:
        """Whether the rule compares what happened, not a value."""
        return not self.implicit and self._parts()[0] == "event"

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
        if field != "event":
            return COMPARE[sign](pl.col("value"), float(value)).cast(pl.Int8)
        said = COMPARE[sign](pl.col("event"), value[1:-1])  # shown and not answered is liked under no rule
        return (said & (pl.col("event") != IMPRESSION)).cast(pl.Int8)

    def of(self, event: str, value: float | None) -> int | None:
        """1 or 0 of one event; None where it has no value to compare."""
        if self.implicit:
            return 1
        field, sign, wanted = self._parts()
        if field == "event":
            return int(event != IMPRESSION and COMPARE[sign](event, wanted[1:-1]))
        return None if value is None else int(COMPARE[sign](value, float(wanted)))

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
