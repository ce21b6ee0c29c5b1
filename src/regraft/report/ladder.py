"""The ladder: the best contender of every rung, which rungs pay, and groups in which one pays that does not on average.

A rung pays where its best contender is above the best contender of the paying rungs below it: paired difference in
AUC, or in NDCG where negatives were drawn, Holm-adjusted over all contenders that are compared with that one. The
lowest rung pays by definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from regraft.metrics.intervals import Bootstrap, Difference, holm
from regraft.rungs import CLASSICAL, RUNGS

if TYPE_CHECKING:
    from regraft.report.standings import Paired, Standing, Summary


class Step(NamedTuple):
    """One rung: its best contender, and that one minus `below`, the best of the paying rungs below it."""

    rung: str
    best: Standing
    below: Standing | None = None  # None at the lowest rung
    paired: Paired | None = None

    @property
    def pays(self) -> bool:
        return self.paired is None or self.paired.relation == "above"

    @property
    def classical(self) -> bool:
        return self.rung in CLASSICAL


class Place(NamedTuple):
    """A group of test rows in which a rung that does not pay on average differs from the rung that is served."""

    step: Step
    kind: str  # "item_count" or "history"
    group: str
    difference: Difference
    p_holm: float  # adjusted over the groups of this rung


def climb(summary: Summary) -> tuple[Step, ...]:
    """The rungs that were compared, from the lowest to the highest."""
    steps: list[Step] = []
    below: Standing | None = None
    for rung in RUNGS:
        worth = {s.name: w.estimate for s in summary.compared if s.rung == rung and (w := summary.worth(s))}
        on_it = [s for s in summary.compared if np.isfinite(worth.get(s.name, np.nan))]
        if not on_it:
            continue
        best = max(on_it, key=lambda s: worth[s.name])
        paired = summary.against(below.name, summary.judged_by)[best.name] if below else None
        steps.append(Step(rung, best, below, paired))
        below = best if steps[-1].pays else below
    return tuple(steps)


def served(steps: Sequence[Step]) -> Step | None:
    """The last rung that pays."""
    return next((step for step in reversed(steps) if step.pays), None)


def higher(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The rungs above the last one that pays."""
    paying = max((place for place, step in enumerate(steps) if step.pays), default=-1)
    return tuple(steps[paying + 1 :])


def places(
    step: Step, own: Bootstrap, below: Bootstrap, groups: Sequence[tuple[str, str]], alpha: float
) -> list[Place]:
    """Groups in which the step's best contender is above the one below; `groups` are (kind, group).

    The statistics of both are named "KIND GROUP". Holm's correction goes over all groups with an interval.
    """
    gaps = [own.minus(below, f"{kind} {group}") for kind, group in groups]
    found = [
        Place(step, kind, group, gap, float(p))
        for (kind, group), gap, p in zip(groups, gaps, holm([gap.p for gap in gaps]), strict=True)
    ]
    return [place for place in found if place.p_holm < alpha and place.difference.low > 0]
