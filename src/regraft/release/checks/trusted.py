"""The new version is not worse than the champion on older rows: what it knew, it still knows."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.checks.effect import worse
from regraft.release.evidence import Finding, Judged, Limits


class Trusted(Limits):
    when: ClassVar[Literal["after"]] = "after"
    margin: float = Field(0.01, ge=0, description="AUC that the upper bound may lie below zero")
    drop: float = Field(0.05, gt=0, description="loss of AUC that is too much where users are too few for an interval")
    least: int = Field(200, ge=1, description="rows below which nothing is decided")

    def look(self, judged: Judged) -> Finding:
        rows = judged.periods < judged.newest
        return worse("trusted", "older held-out rows", judged, rows, self)
