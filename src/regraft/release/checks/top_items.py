"""No single item gets most of the likes: a promotion by bought accounts shows here."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from regraft.release.evidence import Day, Finding, ShareLimits


class TopItems(ShareLimits):
    anchored: ClassVar[bool] = True
    points: float = Field(0.03, ge=0, le=1, description="difference of the share that is always allowed")

    def look(self, day: Day) -> Finding:
        return self.above("top-items", day, "top_item", "one item got {share} of the likes, usually {usual}", "likes")
