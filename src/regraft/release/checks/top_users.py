"""No few people write most of the rows: a flood shows here before anything learns from it."""

from __future__ import annotations

from pydantic import Field

from regraft.release.evidence import FEW_DAYS, Day, Finding, ShareLimits
from regraft.said import Said


class TopUsers(ShareLimits):
    times: float = Field(1.5, ge=1, description="rows of one user, as a multiple of the most on 9 of 10 earlier days")
    flood: float = Field(0.02, ge=0, le=1, description="share of the rows by users above that which is allowed")

    def look(self, day: Day) -> Finding:
        said = "the busiest 1 % of the users wrote {share} of the rows, usually {usual}"
        found = self.above("top-users", day, "top_users", said)
        if len(day.earlier) < FEW_DAYS or not len(day.rows):
            return found
        most = float(day.earlier["most"].quantile(0.9))  # type: ignore[arg-type]
        cap = max(self.times * most, most + 6 * most**0.5)  # by chance a few rows more: 9 where the most was 3
        counts = day.rows.group_by("uid").len()["len"]
        share = float(counts.filter(counts > cap).sum() / len(day.rows))
        reason, outcome = found.reason, "hold" if share > self.flood else found.outcome
        if share:
            told = Said(
                "{n} users with more than {cap:,.0f} rows, as hardly ever: {share:.1%}",
                n=int((counts > cap).sum()), cap=cap, share=share,
            )  # fmt: skip
            reason = Said("{first}; {then}", first=reason, then=told)
        return Finding("top-users", outcome, reason, {**found.values, "flood": share})
