"""The new version is not worse than the champion on the newest rows that nothing was trained on."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

import numpy as np
from pydantic import Field

from regraft.metrics.intervals import Difference
from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said

CHAMPION = Said("the champion")


class Effect(Limits):
    when: ClassVar[Literal["after"]] = "after"
    margin: float = Field(0.002, ge=0, description="AUC that the upper bound may lie below zero")
    drop: float = Field(0.15, gt=0, description="loss of AUC that is too much where users are too few for an interval")
    least: int = Field(100, ge=1, description="rows below which nothing is decided")

    def look(self, judged: Judged) -> Finding:
        newest = judged.periods == judged.newest
        found = worse("effect", Said("the newest held-out rows"), judged, newest, self)
        if "difference" not in found.values:
            return found
        said, values = found.reason, dict(found.values)
        for name, scores in judged.challengers.items():
            if not np.isfinite(scores).all():
                told = Said("challenger {name}: scores that are no numbers", name=name)
                said = Said("{first}; {then}", first=said, then=told)
                continue
            gap = judged.difference(newest, new=scores)
            told = Said("challenger {name}: {gap}", name=name, gap=in_words(gap))
            said = Said("{first}; {then}", first=said, then=told)
            values |= {f"{name} difference": gap.estimate, f"{name} low": gap.low, f"{name} high": gap.high}
        return Finding("effect", found.outcome, said, values)


class Bounds(Protocol):
    """The settings of a check that compares AUC."""

    @property
    def margin(self) -> float: ...
    @property
    def drop(self) -> float: ...
    @property
    def least(self) -> int: ...


def worse(
    check: str, where: Said, judged: Judged, rows: np.ndarray, limits: Bounds, old: np.ndarray | None = None,
    against: Said = CHAMPION,
) -> Finding:  # fmt: skip
    """`keep` where the whole interval of the difference of AUC lies below minus the margin.

    Where users are too few for an interval, a loss must be larger than `drop`.
    """
    n = int(rows.sum())
    if n < limits.least or len(np.unique(judged.labels[rows])) < 2:
        return Finding(check, "pass", Said("{where}: {n:,} rows are too few to decide by", where=where, n=n), {"n": n})
    found = judged.difference(rows, old=old)
    said = Said(
        "{where}: AUC {gap} against {against}, {n:,} rows", where=where, gap=in_words(found), against=against, n=n
    )
    values = {"difference": found.estimate, "low": found.low, "high": found.high, "n": n}
    lost = found.high < -limits.margin if found.high == found.high else found.estimate < -limits.drop
    return Finding(check, "keep" if lost else "pass", said, values)


def in_words(gap: Difference) -> Said:
    """+0.0021 [-0.0040, +0.0082]"""
    if gap.low != gap.low:
        return Said("{gap:+.4f} (no interval: too few users)", gap=gap.estimate)
    return Said("{gap:+.4f} [{low:+.4f}, {high:+.4f}]", gap=gap.estimate, low=gap.low, high=gap.high)
