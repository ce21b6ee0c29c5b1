"""What it does to the lift of a pilot that arms learn from each other: measured in a simulated world, by slice.

The numbers are those of docs/results/contamination.csv, which `python bench/contamination.py` writes; a test compares
them. Lifts in percent, errors (shown minus true) in points of them.
"""

from __future__ import annotations

from typing import NamedTuple

from regraft.data.sides import CONTROL_ONLY, OWN, SHARED
from regraft.pilot.words import say

TRUE_LIFT = 3.6
MIXED = 49.9  # percent of the rows that the control learnt from under `shared` that were the treatment's


class Measured(NamedTuple):
    """What a pilot showed, and its error with the 95 % interval over n worlds."""

    shown: float
    error: float
    low: float
    high: float
    n: int


MEASURED = {
    OWN: Measured(3.9, 0.3, -1.1, 1.6, 20),
    CONTROL_ONLY: Measured(-2.8, -6.4, -10.7, -2.1, 20),
    SHARED: Measured(-0.3, -3.8, -7.1, -0.5, 20),
}


def measured(slice_: str, lang: str = "en") -> str:
    """What is known of a slice, in a sentence with its source."""
    return say(lang, f"measured {slice_}", true=TRUE_LIFT, mixed=MIXED, **MEASURED[slice_]._asdict())
