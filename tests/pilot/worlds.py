"""Users of a pilot whose effects are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from regraft.pilot.analyse import DAY
from regraft.pilot.settings import Plan

LIKELY = 0.2  # click rate of the control arm


def people(n: int, seed: int = 0, visits: float = 0.0, clicks: float = 0.0, days: int = 21) -> pl.DataFrame:
    """`n` users over `days`: visits (mean 4) grow by `visits` in the treatment, the click rate by `clicks`."""
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    pace, lean = rng.gamma(2.0, 2.0, n), rng.beta(8, 32, n)
    count = rng.poisson(pace + visits * treated)
    shown = rng.poisson(6.0 * (pace + 1))
    return pl.DataFrame(
        {
            "uid": [f"u{k}" for k in range(n)],
            "arm": np.where(treated, "treatment", "control"),
            "entered": np.sort(rng.integers(0, days * DAY, n)),
            "segment": rng.choice(["new", "regular"], n),
            "visits": count.astype(float),
            "visits_before": pl.Series(np.where(rng.random(n) < 0.3, np.nan, rng.poisson(pace))).fill_nan(None),
            "ctr_num": rng.binomial(shown, np.minimum(lean + clicks * treated, 1)).astype(float),
            "ctr_den": shown.astype(float),
            "ctr_before": rng.binomial(30, lean) / 30,
        }
    )


def plan(**changed: Any) -> Plan:
    return Plan(**({"primary": "visits", "minimum_lift": 0.1, "n": 1000, "weeks": 2} | changed))
