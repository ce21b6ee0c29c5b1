"""Rates with exact intervals and targets: the rows of a results page that counts how often something was right."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binomtest

COLUMNS = ("measure", "rate", "low", "high", "target", "met", "n")


@dataclass(frozen=True)
class Row:
    """`found` of `n`. A share is to be at least the target, or at most where `at_most`."""

    measure: str
    found: int
    n: int
    target: float | None = None
    at_most: bool = False

    def cells(self) -> list[str]:
        """Texts of COLUMNS; the interval is Clopper and Pearson's, 95 %."""
        exact = binomtest(self.found, self.n).proportion_ci(method="exact") if self.n else None
        rate = self.found / self.n if self.n else float("nan")
        low, high = (f"{exact.low:.4f}", f"{exact.high:.4f}") if exact else ("", "")
        target, met = "", ""
        if self.target is not None:
            target = f"{'<=' if self.at_most else '>='} {self.target:g}"
            met = "yes" if (rate <= self.target if self.at_most else rate >= self.target) else "no"
        return [self.measure, f"{rate:.4f}", low, high, target, met, str(self.n)]


def markdown(rows: Iterable[Row]) -> list[str]:
    """Lines of a table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|--:|--:|--:|--:|---|--:|"]
    return lines + ["| " + " | ".join(row.cells()) + " |" for row in rows]


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(row.cells() for row in rows)
