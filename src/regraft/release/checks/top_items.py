"""No single item gets most of the likes: a promotion by bought accounts shows here."""

from __future__ import annotations

from pydantic import Field

from regraft.release.evidence import Day, Finding, ShareLimits


class TopItems(ShareLimits):
    deviations: float = Field(5.0, gt=0, description="robust standard deviations above the median of earlier days")

    def look(self, day: Day) -> Finding:
        return self.above("top-items", day, "top_item", "one item got {share} of the likes, usually {usual}", "likes")
