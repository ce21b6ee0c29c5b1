"""The renewal did not take much longer than those before it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said


class Cost(Limits):
    when: ClassVar[Literal["after"]] = "after"
    always: ClassVar[bool] = True
    times: float = Field(5.0, gt=1, description="seconds, as a multiple of the median of earlier versions")
    least: float = Field(60.0, ge=0, description="seconds that are always allowed")

    def look(self, judged: Judged) -> Finding:
        seconds, usual = judged.cost["seconds"], judged.cost.get("usual", float("nan"))
        wrong = seconds > self.least and seconds > self.times * usual
        said = Said("{seconds:.1f} s, usually {usual:.1f} s", seconds=seconds, usual=usual)
        if usual != usual:
            said = Said("{seconds:.1f} s, for the first time", seconds=seconds)
        return Finding("cost", "keep" if wrong else "pass", said, {"seconds": seconds, "usual": usual})
