"""As many rows as on other days: not half of them, not twice as many."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from regraft.release.evidence import Day, Finding, Limits


class Volume(Limits):
    when: ClassVar[Literal["before"]] = "before"
    least: float = Field(0.5, ge=0, description="rows, as a multiple of the median of earlier days")
    most: float = Field(2.0, gt=0)

    def look(self, day: Day) -> Finding:
        if not len(day.earlier):
            return Finding("volume", "pass", f"{len(day.rows):,} rows; there is no earlier day to compare with")
        n, usual = len(day.rows), float(np.median(day.earlier["rows"].to_numpy()))
        ratio = n / max(usual, 1.0)
        outcome: Literal["pass", "hold"] = "pass" if self.least <= ratio <= self.most else "hold"
        said = f"{n:,} rows, {ratio:.2f} times the usual {usual:,.0f} (allowed: {self.least:g} to {self.most:g})"
        return Finding("volume", outcome, said, {"rows": n, "ratio": ratio})
