"""The new version is not worse than the champion on the newest rows that nothing was trained on."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from regraft.release.evidence import Finding, Judged, Limits


class Effect(Limits):
    when: ClassVar[Literal["after"]] = "after"
    margin: float = Field(0.0, ge=0, description="AUC that the upper bound may lie below zero")
    least: int = Field(50, ge=1, description="rows below which nothing is decided")

    def look(self, judged: Judged) -> Finding:
        return worse(
            "effect", "the newest held-out rows", judged, judged.periods == judged.newest, self.margin, self.least
        )


def worse(check: str, where: str, judged: Judged, rows: np.ndarray, margin: float, least: int) -> Finding:
    """`keep` where the whole interval of the difference lies below minus the margin."""
    n = int(rows.sum())
    if n < least or len(np.unique(judged.labels[rows])) < 2:
        return Finding(check, "pass", f"{where}: {n:,} rows are too few to decide by", {"n": n})
    found = judged.difference(rows)
    said = f"{where}: AUC {found.estimate:+.4f} [{found.low:+.4f}, {found.high:+.4f}] against the champion, {n:,} rows"
    values = {"difference": found.estimate, "low": found.low, "high": found.high, "n": n}
    return Finding(check, "keep" if found.high < -margin else "pass", said, values)
