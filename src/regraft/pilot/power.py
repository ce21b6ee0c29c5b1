"""How large a pilot must be, from the owner's own past: users, whole weeks and the lift that can be seen.

A lift counts as seen where the sequence, as wide as it is at the end of the pilot, leaves out zero with the chance
`power`: effect = half_width(n) + z_power sigma / sqrt(n). One who looks earlier sees large effects earlier. A guardrail
that does not change keeps its margin with that chance where the margin is at least so large.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import norm

from regraft.errors import DataError
from regraft.pilot.people import Values, check, linear, values
from regraft.pilot.sequence import half_width, tightest_rho
from regraft.pilot.settings import LEAST
from regraft.pilot.words import percent, say

DAY = 86_400_000  # ms
WEEK = 7 * DAY


@dataclass(frozen=True)
class Design:
    """The size of a pilot.

    `curve` has one row per whole number of weeks: weeks, n (users per arm), lift (the smallest that is seen, relative),
    and one column per guardrail: the smallest margin that is seen to be kept. NaN below LEAST users per arm.
    """

    metric: str
    minimum_lift: float
    curve: pl.DataFrame
    guardrails: Mapping[str, float]
    weeks: int  # the fewest that see the minimum lift and every margin kept; all of the curve where none do
    n: int  # users per arm that have entered by then
    reached: bool
    power: float
    window_days: int

    def sentence(self, lang: str = "en", named: Callable[[str], str] = str) -> str:
        """The design in words; `lang` is en or ja, `named` gives what a metric is called."""
        lift = percent(self.minimum_lift, signed=False)
        common = {"metric": named(self.metric), "lift": lift, "n": self.n, "weeks": self.weeks}
        if self.reached:
            said = [say(lang, "design", **common, power=percent(self.power, signed=False), days=self.window_days)]
            alone = self.curve.filter(pl.col("lift").fill_nan(math.inf) <= self.minimum_lift)["weeks"][0]
            if alone < self.weeks:
                said.append(say(lang, "design margins", weeks=alone))
            return _joined(lang, said)
        last, short = self.curve.row(-1, named=True), []
        if not last["lift"] <= self.minimum_lift:
            reach = percent(last["lift"], signed=False)
            short = [say(lang, "design out of reach", **common, reach=reach)]
        for name, margin in self.guardrails.items():
            if not last[name] <= margin:
                values = {
                    "metric": named(name),
                    "margin": percent(margin, signed=False),
                    "weeks": self.weeks,
                    "n": self.n,
                }
                reach = percent(last[name], signed=False)
                short.append(say(lang, "design margin out of reach", **values, reach=reach))
        return _joined(lang, short)


def design(
    past: pl.DataFrame, metric: str, minimum_lift: float, share: float = 1.0, weeks: int = 12,
    window_days: int = 7, alpha: float = 0.05, power: float = 0.8, guardrails: Mapping[str, float] | None = None,
) -> Design:  # fmt: skip
    """The smallest pilot, up to `weeks` whole weeks, that sees `minimum_lift` in `metric` and every margin kept.

    Lift and margins are relative, as in Plan: `guardrails` gives each metric's margin.

    `past` is the frame of regraft.pilot.people without arms: users of a time that looked as the pilot's will, by when
    they were first seen in it; at best as many weeks as the pilot may have. `share` of them is enrolled.
    """
    margins = dict(guardrails or {})
    check(past, [metric, *margins], arms=False)
    if past.height < 2 * LEAST:
        raise DataError("past", f"has {past.height:,} users", f"{2 * LEAST:,} or more, to know how much users differ")
    per_arm = [round(n * share / 2) for n in entered_by_week(past, weeks)]

    def seen(name: str) -> list[float]:
        mean, sigma = spread(values(past, name))
        if not (mean and sigma):
            raise DataError("past", f"{name} is the same for all users, or 0 on average", "a metric that varies")
        return [detectable(n, sigma, alpha, power) / abs(mean) if n >= LEAST else math.nan for n in per_arm]

    columns = {"weeks": list(range(1, weeks + 1)), "n": per_arm, "lift": seen(metric)}
    curve = pl.DataFrame(columns | {name: seen(name) for name in margins})
    enough = sees(curve, minimum_lift, margins)
    chosen = (enough.head(1) if enough.height else curve.tail(1)).row(0, named=True)
    return Design(
        metric, minimum_lift, curve, margins, chosen["weeks"], chosen["n"], enough.height > 0, power, window_days
    )


def sees(curve: pl.DataFrame, minimum_lift: float, margins: Mapping[str, float]) -> pl.DataFrame:
    """The rows of a curve that see the lift and every margin kept."""
    wanted = {"lift": minimum_lift} | dict(margins)
    return curve.filter(pl.col(name).fill_nan(math.inf) <= limit for name, limit in wanted.items())


def _joined(lang: str, sentences: list[str]) -> str:
    return ("" if lang == "ja" else " ").join(sentences)


def detectable(n: float, sigma: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest effect, in units of the metric, that is seen with n users per arm; sigma as in Effect."""
    total = 2 * n
    return half_width(total, sigma, tightest_rho(total, alpha), alpha) + float(norm.ppf(power)) * sigma / total**0.5


def spread(of: Values) -> tuple[float, float]:
    """(mean or ratio, standard deviation of psi) of users without arms; psi varies four times as much as they do."""
    mean = of.top.mean() / (1.0 if of.bottom is None else of.bottom.mean())
    value = linear(of.top, of.bottom)
    return float(mean), 2 * float(np.std(value if of.before is None else value - of.before, ddof=1))


def entered_by_week(past: pl.DataFrame, weeks: int) -> list[int]:
    """Users who have entered by the end of week 1, 2, ...

    Weeks beyond the past bring as many as its last whole week, or none where it has but one: in the first week all
    regulars come, and they come once.
    """
    since = past["entered"].to_numpy() - past["entered"].to_numpy().min()
    whole = max(1, (int(since.max()) + DAY) // WEEK)  # somebody comes on its last day
    new = np.bincount(since // WEEK, minlength=whole)[:whole]
    grown = np.cumsum(np.concatenate([new, np.full(max(0, weeks - whole), new[-1] if whole > 1 else 0)]))
    return [int(n) for n in grown[:weeks]]
