"""No few people write most of the rows: a flood shows here before anything learns from it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.evidence import Day, Finding, Limits, deviations


class TopUsers(Limits):
    when: ClassVar[Literal["before"]] = "before"
    deviations: float = Field(6.0, gt=0)

    def look(self, day: Day) -> Finding:
        share = day.numbers["top_users"]
        if not len(day.rows) or not len(day.earlier):
            return Finding("top-users", "pass", "there is nothing to compare")
        away, usual = deviations(share, day.earlier["top_users"], 0.01)
        said = f"the busiest 1 % of the users wrote {share:.1%} of the rows, usually {usual:.1%}"
        return Finding("top-users", "hold" if away > self.deviations else "pass", said, {"share": share})
