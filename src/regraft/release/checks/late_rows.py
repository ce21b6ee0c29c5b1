"""Few rows come for days that are closed: a log that is sent again, or a clock that is behind, shows here."""

from __future__ import annotations

from regraft.release.evidence import Day, Finding, ShareLimits


class LateRows(ShareLimits):
    def look(self, day: Day) -> Finding:
        said = "late rows of days that are closed: {share} of the day's rows, usually {usual}"
        return self.above("late-rows", day, "late", said)
