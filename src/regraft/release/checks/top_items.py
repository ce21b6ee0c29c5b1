"""No single item gets most of the likes: a promotion by bought accounts shows here.

Our own lists gather the likes on what they show, so a day is compared with days of its kind. While these are too few,
the likes that no list of ours brought are compared with all earlier days.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from regraft.release.evidence import FEW_DAYS, Day, Finding, ShareLimits


class TopItems(ShareLimits):
    anchored: ClassVar[bool] = True
    points: float = Field(0.03, ge=0, le=1, description="difference of the share that is always allowed")

    def look(self, day: Day) -> Finding:
        of_its_kind = day.beside_its_kind()
        if len(of_its_kind.earlier) >= FEW_DAYS:
            said = "one item got {share} of the likes, usually {usual}"
            return self.above("top-items", of_its_kind, "top_item", said, "likes")
        unlisted = replace(day, numbers={**day.numbers, "top_item": day.numbers["top_unlisted"]})
        said = "one item got {share} of the likes outside our lists, usually {usual}"
        return self.above("top-items", unlisted, "top_item", said, "likes")
