"""Whether the arms have the shares they should have; a mismatch means that assignment or logging is broken.

A test that may be looked at after every user: the beta-binomial Bayes factor against a fair split (Lindon and Malek,
"Anytime-valid inference for multinomial count data", NeurIPS 2022). Exact; false alarms at any time <= alpha.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import betaln

ALPHA = 0.001  # usual for this check: a false alarm stops a pilot
PRIOR = 500.0  # users per arm that the alternative is worth: a mismatch is thought to be a few percent


class SampleRatio(NamedTuple):
    """How many users each arm has, and how likely that is where the split is fair."""

    control: int
    treatment: int
    p: float  # always valid: may be looked at as often as one likes
    alpha: float = ALPHA

    @property
    def mismatch(self) -> bool:
        """Whether the split cannot be luck."""
        return self.p <= self.alpha


def sample_ratio(control: int, treatment: int) -> SampleRatio:
    """The check of a 50:50 split; counts may be of all users assigned so far."""
    n = control + treatment
    log_factor = betaln(PRIOR + treatment, PRIOR + control) - betaln(PRIOR, PRIOR) + n * math.log(2)
    return SampleRatio(control, treatment, math.exp(min(0.0, -log_factor)))
