"""What to do with a pilot: roll out, extend or stop, why, and what would change it.

Roll out where the primary metric's lower bound is above 0 and every guardrail's above minus its margin. All must
hold, so no correction for their number is needed (an intersection-union test). Bounds are those of the sequence:
the verdict may be asked for every day.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from regraft.pilot.analyse import Analysis, Effect
from regraft.pilot.sequence import half_width, tightest_rho
from regraft.pilot.settings import LEAST, Plan
from regraft.pilot.words import interval, percent, say

Decision = Literal["roll-out", "extend", "stop"]
WEEK = 7  # days
FURTHEST = 2  # an extension at most doubles the planned users


@dataclass(frozen=True)
class Verdict:
    """A decision with its sentences: keys of regraft.pilot.words and what is filled in."""

    decision: Decision
    said: tuple[tuple[str, dict[str, Any]], ...]

    def sentences(self, lang: str = "en") -> list[str]:
        """The decision, its reasons, and what would change it; `lang` is en or ja."""
        return [say(lang, self.decision), *(say(lang, key, **values) for key, values in self.said)]


@dataclass(frozen=True)
class Check:
    """One bound that must be passed; numbers are turned so that more is better."""

    effect: Effect
    above: float  # what the lower bound must exceed, in units of the metric
    estimate: float
    low: float
    high: float

    @property
    def passed(self) -> bool:
        return self.low > self.above

    @property
    def failed(self) -> bool:
        """Whether even the upper bound lies below."""
        return self.high < self.above


def verdict(analysis: Analysis) -> Verdict:
    """What the numbers so far ask for."""
    plan, ratio = analysis.plan, analysis.sample_ratio
    if ratio.mismatch:
        counts = {"control": ratio.control, "treatment": ratio.treatment, "once": round(1 / ratio.alpha)}
        return Verdict("stop", (("mismatch", counts), ("change mismatch", {})))
    if not analysis.enough:
        return Verdict("extend", (("too few", {"n": analysis.n, "least": LEAST}), _to_plan(analysis)))
    checks = [check(analysis.effect(metric), plan) for metric in (plan.primary, *plan.guardrails)]
    primary, guardrails = checks[0], checks[1:]
    said = [(_primary(primary, plan), _values(primary, plan)), *((_guardrail(g), _values(g, plan)) for g in guardrails)]
    said += [("segment worse", _values(one, plan) | {"segment": one.effect.segment}) for one in _losing(analysis)]

    def so(decision: Decision, *more: tuple[str, dict[str, Any]]) -> Verdict:
        return Verdict(decision, (*said, *more))

    if any(one.failed for one in checks):
        return so("stop", ("change stop", {}))
    if analysis.days < WEEK:
        return so("extend", ("first week", {"days": analysis.days}))
    if all(one.passed for one in checks):
        return so("roll-out", ("change roll-out", {}))
    if _too_small(primary, plan):
        return so("stop", ("change stop", {}))
    if analysis.n < plan.n:
        return so("extend", _to_plan(analysis))
    n = max(users_needed(one, plan) for one in checks)
    if n > FURTHEST * plan.n:
        return so("stop", ("needs too many", {"n": plan.n}), ("change stop size", {}))
    return so("extend", ("needs", {"n": round(n), "weeks": _weeks(analysis, n - analysis.n)}))


def _losing(analysis: Analysis) -> list[Check]:
    """Where a segment loses in a metric that decides, whatever everybody gains; corrected for all that was compared."""
    plan = analysis.plan
    inside = [check(e, plan) for e in analysis.effects if e.segment and e.role != "other"]
    return [one for one in inside if one.effect.adjusted <= plan.alpha and one.estimate < 0]


def check(effect: Effect, plan: Plan) -> Check:
    """The bound that a primary metric or a guardrail must pass."""
    sign = plan.sign(effect.metric)
    low, high = sorted((sign * effect.low, sign * effect.high)) if effect.low == effect.low else (math.nan, math.nan)
    margin = plan.guardrails.get(effect.metric, 0.0) * abs(effect.control)
    return Check(effect, -margin, sign * effect.effect, low, high)


def users_needed(one: Check, plan: Plan) -> float:
    """Users per arm after which the lower bound passes, if estimate and spread stay; inf where it never would."""
    distance = one.estimate - one.above
    if one.passed:
        return 0.0
    if not distance > 0 or not one.effect.sigma > 0:
        return math.inf
    rho = tightest_rho(2 * plan.n, plan.alpha)
    return _smallest(lambda n: half_width(2 * n, one.effect.sigma, rho, plan.alpha) < distance)


def _smallest(holds: Callable[[float], bool]) -> float:
    """The smallest n, to the user, for which `holds`; it holds for all larger ones."""
    high = 1
    while not holds(high):
        if high > 10**12:
            return math.inf
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _too_small(primary: Check, plan: Plan) -> bool:
    return primary.high < plan.minimum_lift * abs(primary.effect.control)


def _primary(one: Check, plan: Plan) -> str:
    if one.low != one.low:
        return "no variation"
    if one.passed or one.failed:
        return "primary better" if one.passed else "primary worse"
    return "primary too small" if _too_small(one, plan) else "primary unclear"


def _guardrail(one: Check) -> str:
    if one.low != one.low:
        return "no variation"
    return "guardrail kept" if one.passed else "guardrail broken" if one.failed else "guardrail unclear"


def _values(one: Check, plan: Plan) -> dict[str, Any]:
    effect = one.effect
    return {
        "metric": effect.metric,
        "lift": percent(effect.relative),
        "interval": interval(effect.relative_low, effect.relative_high),
        "minimum": percent(plan.minimum_lift * plan.sign(effect.metric)),
        "margin": percent(plan.guardrails.get(effect.metric, 0.0), signed=False),
    }


def _to_plan(analysis: Analysis) -> tuple[str, dict[str, Any]]:
    left = max(0, analysis.plan.n - analysis.n)
    return "needs plan", {"left": left, "n": analysis.plan.n, "weeks": _weeks(analysis, left)}


def _weeks(analysis: Analysis, users: float) -> int:
    """Whole weeks until so many more users per arm have entered, at the rate so far; at least one."""
    rate = analysis.n / analysis.days if analysis.days > 0 else 0.0
    if rate == 0:
        return analysis.plan.weeks
    return max(1, math.ceil(users / rate / WEEK))
