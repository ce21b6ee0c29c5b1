"""From users whose window ended to effects with intervals: on everybody, and in segments fixed in advance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control

from regraft.metrics.intervals import holm
from regraft.pilot.estimate import Estimate, estimate
from regraft.pilot.people import check, values
from regraft.pilot.sample_ratio import SampleRatio, sample_ratio
from regraft.pilot.settings import LEAST, Plan

DAY = 86_400_000  # ms


@dataclass(frozen=True)
class Effect:
    """Treatment minus control in one metric, in its units. NaN below LEAST users per arm: see Estimate."""

    metric: str
    role: str  # primary, guardrail or other
    segment: str  # empty: everybody
    n_control: int
    n_treatment: int
    control: float
    treatment: float
    effect: float
    low: float  # of the sequence: valid however often one looks
    high: float
    fixed_low: float  # valid for one look, at a size fixed in advance
    fixed_high: float
    p: float  # of the sequence
    sigma: float
    adjusted: float  # p corrected over other metrics and segments; p itself for primary and guardrails

    @property
    def relative(self) -> float:
        """The lift as a share of the control arm's value; NaN where that is 0."""
        return self._share(self.effect)

    @property
    def relative_low(self) -> float:
        """Lower bound of the lift; how well the control arm's value is known is left out."""
        return self._share(self.low)

    @property
    def relative_high(self) -> float:
        """Upper bound of the lift."""
        return self._share(self.high)

    def row(self) -> dict[str, Any]:
        """All fields, with the relative lift and its bounds."""
        return asdict(self) | {name: getattr(self, name) for name in ("relative", "relative_low", "relative_high")}

    def _share(self, value: float) -> float:
        return value / abs(self.control) if self.control else float("nan")


@dataclass(frozen=True)
class Analysis:
    """What a pilot shows so far."""

    plan: Plan
    effects: tuple[Effect, ...]
    sample_ratio: SampleRatio
    days: float  # for which people whose windows ended could enter

    def effect(self, metric: str, segment: str = "") -> Effect:
        """One metric of everybody, or of a segment."""
        return next(e for e in self.effects if (e.metric, e.segment) == (metric, segment))

    @property
    def primary(self) -> Effect:
        """The metric that decides, on everybody."""
        return self.effect(self.plan.primary)

    @property
    def n(self) -> int:
        """Users of the smaller arm whose window ended."""
        return min(self.primary.n_control, self.primary.n_treatment)

    @property
    def enough(self) -> bool:
        """Whether there are intervals at all."""
        return self.n >= LEAST

    def frame(self) -> pl.DataFrame:
        """One row per segment and metric, with the fields of Effect and the relative lift and its bounds."""
        return pl.DataFrame([effect.row() for effect in self.effects])


def analyse(
    people: pl.DataFrame, plan: Plan, assigned: tuple[int, int] | None = None, days: float | None = None
) -> Analysis:  # fmt: skip
    """Every metric of the plan on everybody, then in every segment of the plan.

    `people`: see regraft.pilot.people. `assigned`: users of control and treatment who were ever exposed, whether their
    window ended or not, for the check of the sample ratio; None: those of `people`. `days`: for how long those of
    `people` could enter; None: from the first one's exposure to the last one's.
    """
    check(people, plan.metrics)
    effects = list(_effects(people, plan))
    family = [k for k, e in enumerate(effects) if e.role == "other" or e.segment]
    for k, adjusted in zip(family, _adjust([effects[k].p for k in family], plan.correction), strict=True):
        effects[k] = replace(effects[k], adjusted=float(adjusted))
    entered = people["entered"].to_numpy()
    if days is None:
        days = float(np.ptp(entered)) / DAY if len(entered) else 0.0
    arms = assigned or (effects[0].n_control, effects[0].n_treatment)
    return Analysis(plan, tuple(effects), sample_ratio(*arms), days)


def over_time(people: pl.DataFrame, plan: Plan, metric: str) -> pl.DataFrame:
    """The funnel: one row per day on which windows ended, as Analysis.frame, with `until`: its exclusive end in ms."""
    check(people, [metric])
    ends = people["entered"] + plan.window_days * DAY
    days = np.unique(ends.to_numpy() // DAY + 1) * DAY
    shown = [{"until": int(day)} | _effect(people.filter(ends < day), plan, metric).row() for day in days]
    return pl.DataFrame(shown)


def by_exposure(days: pl.DataFrame, plan: Plan, metric: str) -> pl.DataFrame:
    """The effect on each day since exposure: one row per day, as Analysis.frame, with `day` from 1.

    `days` as windows.by_day gives it. An effect that is large on the first days and gone on the last is the charm of
    the new. Every day's interval is valid alone, however often one looks; it is not corrected for the other days.
    """
    parts = ((day, days.filter(pl.col("day") == day)) for day in range(1, plan.window_days + 1))
    return pl.DataFrame([{"day": day} | _effect(part, plan, metric).row() for day, part in parts])


def _effects(people: pl.DataFrame, plan: Plan) -> Iterator[Effect]:
    for segment in ("", *plan.segments):
        part = people.filter(pl.col("segment") == segment) if segment else people
        for metric in plan.metrics:
            yield _effect(part, plan, metric, segment)


def _effect(people: pl.DataFrame, plan: Plan, metric: str, segment: str = "") -> Effect:
    treated = (people["arm"] == "treatment").to_numpy()
    n = (int((~treated).sum()), int(treated.sum()))
    found = Estimate()
    if min(n) >= LEAST:
        found = estimate(values(people, metric), treated, plan.alpha, plan.n)
    return Effect(metric, plan.role(metric), segment, *n, *found, adjusted=found.p)


def _adjust(p_values: list[float], how: str) -> np.ndarray:
    """P-values corrected for how many there are; NaN stays NaN, uncounted."""
    p = np.array(p_values, dtype=np.float64)
    if how == "holm":
        return holm(p)
    known = ~np.isnan(p)
    if known.any():
        p[known] = false_discovery_control(p[known], method="by")  # any dependence: metrics hang together
    return p
