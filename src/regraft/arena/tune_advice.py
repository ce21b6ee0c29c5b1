"""Which setting of a grid is advised: the least that is not worse than the best by more than a margin.

It is chosen on the earlier periods alone and checked on the later ones. Differences are paired: the same rows and the
same resampled people. A setting is `near` the best where its interval lies above minus the margin, `worse` where Holm's
p says so, and else `undecided`: the stream cannot tell. Not being told apart is no reason to advise a setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from regraft.arena.tune_measures import ALL_PERIODS, EARLIER, LATER, Measured
from regraft.metrics.intervals import Difference, holm

LEVEL = 0.05
Status = Literal["near", "worse", "undecided"]
HELD = {"near": "yes", "worse": "no", "undecided": "undecided"}


@dataclass(frozen=True)
class Compared:
    """A setting against the best one of its contender on the same periods; `p` is Holm's over the settings."""

    measured: Measured
    gap: Difference
    p: float
    status: Status

    @property
    def less(self) -> tuple[float, int, float]:
        return self.measured.setting.least


@dataclass(frozen=True)
class BreakEven:
    """What more frequent updates gain and take, per tested period, beside rarer ones; money at the given price.

    `worth` is the money that a hundredth of AUC must be worth in one period for the more frequent updates to pay,
    None where they gain nothing that can be told.
    """

    every: int
    instead_of: int
    gain: Difference
    seconds: float
    money: float
    worth: float | None


@dataclass(frozen=True)
class Advice:
    """`earlier` and `later` compare every setting with the best of those periods; `held` says how the advice did."""

    contender: str
    advised: Measured
    best: Measured
    best_later: Measured
    told_apart: bool  # some setting is worse than the best, on the earlier periods
    earlier: tuple[Compared, ...]
    later: tuple[Compared, ...]
    held: str
    break_even: tuple[BreakEven, ...]

    @property
    def undecided(self) -> tuple[Compared, ...]:
        """Settings that ask for less than the advised one and may be as good; the least first."""
        less = [one for one in self.earlier if one.less < self.advised.setting.least and one.status == "undecided"]
        return tuple(sorted(less, key=lambda one: one.less))

    def on_later(self, measured: Measured) -> Compared:
        return next(one for one in self.later if one.measured is measured)


def advise(settings: Sequence[Measured], margin: float, price_per_hour: float) -> Advice:
    """The advice for one contender, from its settings that are measured."""
    earlier, later = (against_best(settings, part, margin) for part in (EARLIER, LATER))
    advised = min((one for one in earlier if one.status == "near"), key=lambda one: one.less).measured
    checked = next(one for one in later if one.measured is advised)
    return Advice(
        contender=advised.setting.contender, advised=advised, best=_best(settings, EARLIER),
        best_later=_best(settings, LATER), told_apart=any(one.status == "worse" for one in earlier), earlier=earlier,
        later=later, held=HELD[checked.status], break_even=break_even(settings, advised, price_per_hour),
    )  # fmt: skip


def against_best(settings: Sequence[Measured], part: str, margin: float) -> tuple[Compared, ...]:
    """Every setting against the best one of those periods, which is near itself."""
    best = _best(settings, part).quality
    gaps = [one.quality.minus(best, part) for one in settings]
    others = [i for i, one in enumerate(settings) if one.quality is not best]
    p = np.full(len(settings), np.nan)
    p[others] = holm([gaps[i].p for i in others])
    return tuple(
        Compared(one, gap, float(p_holm), _status(gap, p_holm, margin))
        for one, gap, p_holm in zip(settings, gaps, p, strict=True)
    )


def _status(gap: Difference, p_holm: float, margin: float) -> Status:
    if gap.low > -margin:  # the same scores have an interval of no width
        return "near"
    return "worse" if p_holm < LEVEL and gap.estimate < 0 else "undecided"


def break_even(settings: Sequence[Measured], advised: Measured, price_per_hour: float) -> tuple[BreakEven, ...]:
    """Step by step from the rarest updates to the most frequent, at the advised history and replay, on all periods."""
    mine = advised.setting
    same = [s for s in settings if (s.setting.share, s.setting.days) == (mine.share, mine.days)]
    rising = sorted(same, key=lambda one: -one.setting.every)
    found = []
    for rarer, oftener in pairwise(rising):
        gain = oftener.quality.minus(rarer.quality, ALL_PERIODS)
        seconds = oftener.cost.seconds - rarer.cost.seconds
        money = seconds / 3600 * price_per_hour
        worth = money / (100 * gain.estimate) if gain.low > 0 else None
        found.append(BreakEven(oftener.setting.every, rarer.setting.every, gain, seconds, money, worth))
    return tuple(found)


def _best(settings: Sequence[Measured], part: str) -> Measured:
    return max(settings, key=lambda one: np.nan_to_num(one.quality.values[part][0], nan=-1.0))
