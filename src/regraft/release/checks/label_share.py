"""The share of liked rows is that of other days: a flipped or broken label shows here first."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.evidence import Day, Finding, Limits, deviations


class LabelShare(Limits):
    when: ClassVar[Literal["before"]] = "before"
    deviations: float = Field(6.0, gt=0, description="robust standard deviations from the median of earlier days")
    points: float = Field(0.1, gt=0, le=1, description="difference of the share that is always too much")

    def look(self, day: Day) -> Finding:
        share = day.numbers["liked"]
        if not len(day.rows) or not len(day.earlier):
            return Finding("label-share", "pass", "there is nothing to compare")
        noise = (share * (1 - share) / len(day.rows)) ** 0.5
        away, usual = deviations(share, day.earlier["liked"], max(noise, 0.005))
        wrong = abs(away) > self.deviations or abs(share - usual) > self.points
        said = f"{share:.1%} of the rows are liked, usually {usual:.1%}: {abs(away):.1f} deviations"
        return Finding("label-share", "hold" if wrong else "pass", said, {"liked": share, "deviations": away})
