"""As many rows as on other days: not half of them, not twice as many."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.day_numbers import deviations
from regraft.release.evidence import FEW_DAYS, Day, Finding, Limits, too_few
from regraft.said import Said


class Volume(Limits):
    when: ClassVar[Literal["before"]] = "before"
    anchored: ClassVar[bool] = True
    least: float = Field(0.5, ge=0, description="rows, as a multiple of the median of earlier days")
    most: float = Field(2.0, gt=0)
    deviations: float = Field(4.0, gt=0, description="robust standard deviations of the root of the rows")

    def look(self, day: Day) -> Finding:
        n = day.numbers["rows"]
        if len(day.earlier) < FEW_DAYS:
            return Finding("volume", "pass", Said("{n:,.0f} rows; {why}", n=n, why=too_few(day)), {"rows": n})
        # The root of a count has about the same noise, 1/2, whatever the count: 20 rows a day may well be 10 or 30.
        away, root = deviations(n**0.5, day.earlier["rows"].sqrt(), 0.5)
        ratio = n / max(root**2, 1.0)
        wrong = not self.least <= ratio <= self.most and abs(away) > self.deviations
        said = Said(
            "{n:,.0f} rows, {ratio:.2f} times the usual {usual:,.0f} (allowed: {least:g} to {most:g})",
            n=n, ratio=ratio, usual=root**2, least=self.least, most=self.most,
        )  # fmt: skip
        return Finding("volume", "hold" if wrong else "pass", said, {"rows": n, "ratio": ratio, "deviations": away})
