"""What the new version calls 70 % comes true as often as for the champion: log-loss and calibration error."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from regraft.metrics.calibration import ece_excess
from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said


class Calibration(Limits):
    when: ClassVar[Literal["after"]] = "after"
    margin: float = Field(0.005, ge=0, description="log-loss (nats) that the lower bound may lie above zero")
    error: float = Field(0.05, gt=0, description="calibration error, less its floor, by which it may be worse")
    least: int = Field(100, ge=1, description="rows below which nothing is decided")

    def look(self, judged: Judged) -> Finding:
        rows = judged.periods == judged.newest
        n = int(rows.sum())
        if n < self.least:
            return Finding("calibration", "pass", Said("{n:,} rows are too few to decide by", n=n), {"n": n})
        gap = judged.difference(rows, "log_loss")
        old, new = (ece_excess(judged.labels[rows], scores[rows]) for scores in (judged.old, judged.new))
        said = Said(
            "calibration error {new:.3f}, the champion's {old:.3f}; log-loss {gap:+.4f}, {n:,} rows",
            new=new, old=old, gap=gap.estimate, n=n,
        )  # fmt: skip
        chance = 2 / n**0.5  # by chance alone the errors of 150 rows may well differ by 0.1
        wrong = gap.low > self.margin or new - old > max(self.error, chance)
        values = {"error": new, "champion": old, "log-loss": gap.estimate, "low": gap.low, "high": gap.high}
        return Finding("calibration", "keep" if wrong else "pass", said, values)
