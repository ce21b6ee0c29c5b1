"""The new version still knows what the champion of a week ago knew: losses too small for a day add up here."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.checks.effect import worse
from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said


class Forgetting(Limits):
    when: ClassVar[Literal["after"]] = "after"
    margin: float = Field(0.01, ge=0, description="AUC that the upper bound may lie below zero")
    drop: float = Field(0.05, gt=0, description="loss of AUC that is too much where users are too few for an interval")
    least: int = Field(200, ge=1, description="rows below which nothing is decided")

    def look(self, judged: Judged) -> Finding:
        if judged.anchor is None or judged.known is None:
            said = Said("the champion of a week ago is in service still, or there was none")
            return Finding("forgetting", "pass", said)
        where, whom = Said("held-out rows older than a week"), Said("the champion of a week ago")
        return worse("forgetting", where, judged, judged.known, self, judged.anchor, whom)
