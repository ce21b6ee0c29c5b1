"""The new version does not turn the order of things round: people are not shown another shop every day."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said


class Churn(Limits):
    when: ClassVar[Literal["after"]] = "after"
    most: float = Field(0.35, gt=0, le=1, description="share of pairs of rows in another order; by chance it is 0.5")
    least: int = Field(50, ge=2, description="rows below which nothing is decided")

    def look(self, judged: Judged) -> Finding:
        rows = judged.periods == judged.newest
        n = int(rows.sum())
        if n < self.least or not all(np.ptp(scores[rows]) > 0 for scores in (judged.old, judged.new)):
            return Finding(
                "churn", "pass", Said("{n:,} rows are too few, or too much alike, to decide by", n=n), {"n": n}
            )
        from scipy.stats import kendalltau  # most of a second, that most commands need not wait

        changed = float(1 - kendalltau(judged.old[rows], judged.new[rows]).statistic) / 2
        said = Said(
            "{changed:.1%} of the pairs of the newest held-out rows change their order (at most {most:.0%})",
            changed=changed, most=self.most,
        )  # fmt: skip
        return Finding("churn", "keep" if changed > self.most else "pass", said, {"changed": changed, "n": n})
