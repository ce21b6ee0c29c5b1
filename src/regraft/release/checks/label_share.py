"""The share of liked rows is that of other days: a flipped or broken label shows here first."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.evidence import Day, Finding, Limits, too_few
from regraft.said import Said


class LabelShare(Limits):
    when: ClassVar[Literal["before"]] = "before"
    anchored: ClassVar[bool] = True
    deviations: float = Field(6.0, gt=0, description="robust standard deviations from the median of earlier days")
    points: float = Field(0.2, gt=0, le=1, description="difference for which half as many deviations are too many")

    def look(self, day: Day) -> Finding:
        day = day.beside_its_kind()
        share, (away, usual) = day.numbers["liked"], day.away("liked", chance="liked_noise")
        if usual != usual or not len(day.rows):
            said = too_few(day) if len(day.rows) else Said("there are no rows")
            return Finding("label-share", "pass", said, {"liked": share})
        far = self.deviations if abs(share - usual) <= self.points else self.deviations / 2
        said = Said(
            "{share:.1%} of the rows are liked, usually {usual:.1%}: {away:.1f} deviations",
            share=share, usual=usual, away=abs(away),
        )  # fmt: skip
        return Finding("label-share", "hold" if abs(away) > far else "pass", said, {"liked": share, "deviations": away})
