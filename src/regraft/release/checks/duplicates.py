"""Rows do not come twice: a day that was sent again, a few seconds later or under other ids, shows here."""

from __future__ import annotations

from regraft.release.evidence import Day, Finding, ShareLimits


class Duplicates(ShareLimits):
    def look(self, day: Day) -> Finding:
        said = "{share} of the rows repeat the user, item and event of a row less than a minute before, usually {usual}"
        return self.above("duplicates", day, "echoes", said)
