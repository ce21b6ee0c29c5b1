"""No few people write most of the rows: a flood shows here before anything learns from it."""

from __future__ import annotations

from regraft.release.evidence import Day, Finding, ShareLimits


class TopUsers(ShareLimits):
    def look(self, day: Day) -> Finding:
        said = "the busiest 1 % of the users wrote {share} of the rows, usually {usual}"
        return self.above("top-users", day, "top_users", said)
