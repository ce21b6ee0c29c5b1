"""How large a pilot must be, from the owner's own past: users, whole weeks and the lift that can be seen.

A lift counts as seen where the sequence, as wide as it is at the end of the pilot, leaves out zero with the chance
`power`: effect = half_width(n) + z_power sigma / sqrt(n). One who looks earlier sees large effects earlier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import norm

from regraft.errors import DataError
from regraft.pilot.people import Values, check, linear, values
from regraft.pilot.sequence import half_width, tightest_rho
from regraft.pilot.settings import LEAST
from regraft.pilot.words import percent, say

WEEK = 7 * 86_400_000  # ms


@dataclass(frozen=True)
class Design:
    """The size of a pilot. `curve` has one row per whole number of weeks: weeks, n (users per arm), lift (relative)."""

    metric: str
    minimum_lift: float
    curve: pl.DataFrame
    weeks: int  # the fewest that see the minimum lift; all of the curve where none does
    n: int  # users per arm that have entered by then
    reached: bool
    power: float
    window_days: int

    def sentence(self, lang: str = "en") -> str:
        """The design in words; `lang` is en or ja."""
        lift = percent(self.minimum_lift, signed=False)
        common = {"metric": self.metric, "lift": lift, "n": self.n, "weeks": self.weeks}
        if self.reached:
            power = percent(self.power, signed=False)
            return say(lang, "design", **common, power=power, days=self.window_days)
        reach = self.curve.filter(pl.col("weeks") == self.weeks)["lift"].item()
        return say(lang, "design out of reach", **common, reach=percent(reach, signed=False))


def design(
    past: pl.DataFrame, metric: str, minimum_lift: float, share: float = 1.0, weeks: int = 12,
    window_days: int = 7, alpha: float = 0.05, power: float = 0.8,
) -> Design:  # fmt: skip
    """The smallest pilot, up to `weeks` whole weeks, that sees `minimum_lift` (relative) in `metric`.

    `past` is the frame of regraft.pilot.people without arms: users of a time that looked as the pilot's will, by when
    they were first seen in it. `share` of them is enrolled. Weeks beyond those of the past bring as many new users as
    its last whole week.
    """
    check(past, [metric], arms=False)
    if past.height < 2 * LEAST:
        raise DataError("past", f"has {past.height:,} users", f"{2 * LEAST:,} or more, to know how much users differ")
    mean, sigma = spread(values(past, metric))
    if not (mean and sigma):
        raise DataError("past", f"{metric} is the same for all users, or 0 on average", "a metric that varies")
    per_arm = [round(n * share / 2) for n in entered_by_week(past, weeks)]
    lifts = [detectable(n, sigma, alpha, power) / abs(mean) if n >= LEAST else math.nan for n in per_arm]
    curve = pl.DataFrame({"weeks": range(1, weeks + 1), "n": per_arm, "lift": lifts})
    seen = curve.filter(pl.col("lift").is_not_nan() & (pl.col("lift") <= minimum_lift))
    last = (seen.head(1) if seen.height else curve.tail(1)).row(0, named=True)
    return Design(metric, minimum_lift, curve, last["weeks"], last["n"], seen.height > 0, power, window_days)


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
    """Users who have entered by the end of week 1, 2, ...; beyond the past at the rate of its last whole week."""
    since = past["entered"].to_numpy() - past["entered"].to_numpy().min()
    whole = max(1, int(since.max()) // WEEK)
    new = np.bincount(since // WEEK, minlength=whole)[:whole]
    grown = np.cumsum(np.concatenate([new, np.full(max(0, weeks - whole), new[-1])]))
    return [int(n) for n in grown[:weeks]]
