"""No hours are missing in which other days have rows: half a day's file, or a clock that is wrong, shows here."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.day_numbers import deviations
from regraft.release.evidence import FEW_DAYS, Day, Finding, Limits, too_few
from regraft.said import Said


class MissingHours(Limits):
    when: ClassVar[Literal["before"]] = "before"
    deviations: float = Field(7.0, gt=0, description="robust standard deviations above the median of earlier days")
    hours: float = Field(2.0, gt=0, description="hours by which a gap may always be longer than usual")

    def look(self, day: Day) -> Finding:
        found = day.numbers["gap"]
        if len(day.earlier) < FEW_DAYS:
            return Finding("missing-hours", "pass", too_few(day), {"hours": found})
        usual = day.usual("gap")
        away, _ = deviations(found, day.earlier["gap"], usual / 4)
        wrong = found - usual > self.hours and away > self.deviations
        said = Said("{hours:.1f} hours without a row, at most {usual:.1f} on usual days", hours=found, usual=usual)
        return Finding("missing-hours", "hold" if wrong else "pass", said, {"hours": found, "deviations": away})
