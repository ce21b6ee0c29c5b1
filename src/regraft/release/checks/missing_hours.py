"""No hours are missing in which other days have rows: half a day's file, or a clock that is wrong, shows here."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.evidence import Day, Finding, Limits, deviations


class MissingHours(Limits):
    when: ClassVar[Literal["before"]] = "before"
    deviations: float = Field(6.0, gt=0)
    hours: float = Field(2.0, gt=0, description="fewer hours with rows than usual that are always allowed")

    def look(self, day: Day) -> Finding:
        found = day.numbers["hours"]
        if not len(day.earlier):
            return Finding("missing-hours", "pass", "there is nothing to compare")
        away, usual = deviations(found, day.earlier["hours"], 1.0)
        wrong = usual - found > self.hours and -away > self.deviations / 2
        said = f"rows in {found:.0f} hours of the day, usually {usual:.0f}"
        return Finding("missing-hours", "hold" if wrong else "pass", said, {"hours": found})
