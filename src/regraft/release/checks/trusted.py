"""The new version is not worse than the champion on older rows: what it knew, it still knows.

Another contender than the one in service bears the burden of proof: it must not even look worse by the margin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.checks.effect import worse
from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said


class Trusted(Limits):
    when: ClassVar[Literal["after"]] = "after"
    margin: float = Field(0.01, ge=0, description="AUC that the upper bound may lie below zero")
    drop: float = Field(0.05, gt=0, description="loss of AUC that is too much where users are too few for an interval")
    least: int = Field(200, ge=1, description="rows below which nothing is decided")

    def look(self, judged: Judged) -> Finding:
        rows = judged.periods < judged.newest
        found = worse("trusted", Said("older held-out rows"), judged, rows, self)
        if judged.another and found.outcome == "pass" and found.values.get("difference", 0.0) < -self.margin:
            said = Said("{said}; another contender must not look worse", said=found.reason)
            return replace(found, outcome="keep", reason=said)
        return found
