"""Few rows are unreadable, exact copies or dated in the future: another format or a wrong clock shows here."""

from __future__ import annotations

from regraft.release.evidence import Day, Finding, ShareLimits


class SetAside(ShareLimits):
    def look(self, day: Day) -> Finding:
        return self.above("set-aside", day, "set_aside", "{share} of the rows received were set aside, usually {usual}")
