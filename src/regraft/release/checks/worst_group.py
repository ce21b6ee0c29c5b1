"""No group of users - new, dormant, continuing - is served worse than by the champion."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from regraft.metrics.groups import USER_GROUPS
from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said

GROUPS = {"new": Said("new"), "dormant": Said("dormant"), "continuing": Said("continuing")}


class WorstGroup(Limits):
    when: ClassVar[Literal["after"]] = "after"
    margin: float = Field(0.02, ge=0, description="AUC that a group may lose, beyond chance")
    least: int = Field(100, ge=1, description="rows below which nothing is decided about a group")

    def look(self, judged: Judged) -> Finding:
        newest, found = judged.periods == judged.newest, {}
        for group in USER_GROUPS:
            rows = newest & (judged.groups == group)
            if rows.sum() >= self.least and len(np.unique(judged.labels[rows])) == 2:
                found[group] = (judged.difference(rows), int(rows.sum()))
        if not found:
            return Finding("worst-group", "pass", Said("every group of users has too few rows to decide by"))
        name, (gap, n) = min(found.items(), key=lambda one: one[1][0].estimate)
        lost = [group for group, (one, _) in found.items() if one.high < -self.margin]
        low = f"{gap.low:+.4f}" if gap.low == gap.low else Said("unknown")
        said = Said(
            "worst off are the {group} users: AUC {gap:+.4f}, lower bound {low}, {n:,} rows",
            group=GROUPS[name], gap=gap.estimate, low=low, n=n,
        )  # fmt: skip
        values = {f"{group} difference": one.estimate for group, (one, _) in found.items()}
        return Finding("worst-group", "keep" if lost else "pass", said, values | {"low": gap.low, "high": gap.high})
