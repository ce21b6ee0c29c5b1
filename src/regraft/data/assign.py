"""Who belongs to which arm: pure functions of who somebody is, so that every server gives the same answer at once.

Two hashes, salted per pilot: one decides whether a person is *enrolled*, the other which *arm* they are in. They are
independent, so a pilot that grows from 5 to 25 % of the people enrols more of them and moves nobody to another arm. A
third hash, the same for ever, keeps the long-term holdout apart, who are in no pilot. (Kohavi, Tang and Xu 2020,
chapter 12.)

Who is asked for by name of a person's pseudonym: one who is new has no uid before the night, but must keep the arm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

CHAMPION, CONTROL, TREATMENT, HOLDOUT = "champion", "control", "treatment", "holdout"
ARMS = (CHAMPION, CONTROL, TREATMENT, HOLDOUT)
COMPARED = (CONTROL, TREATMENT)  # those of a pilot
RAMP = (0.05, 0.25, 0.5, 1.0)  # shares of the people that a pilot grows through
FOR_EVER = "holdout"  # the salt of the holdout: it outlives all pilots


@dataclass(frozen=True)
class Split:
    """How the people of a site are split at present. `share` of those outside the holdout are in the pilot `salt`."""

    salt: str = ""
    share: float = 0.0
    holdout: float = 0.0

    def arm(self, who: str) -> str:
        """One of ARMS: what is served is the champion's word to `champion` and `control`."""
        if self.holdout and place(FOR_EVER, "holdout", who) < self.holdout:  # no hash where it would decide nothing
            return HOLDOUT
        if not self.share or place(self.salt, "enrolled", who) >= self.share:
            return CHAMPION
        return arm(self.salt, who)


def arm(salt: str, who: str) -> str:
    """CONTROL or TREATMENT, one half each; whoever is enrolled."""
    return TREATMENT if place(salt, "arm", who) < 0.5 else CONTROL


def place(salt: str, purpose: str, who: str) -> float:
    """A number in [0, 1), uniform over people and independent between purposes and salts."""
    digest = hashlib.blake2b(who.encode(), digest_size=8, key=salt.encode(), person=purpose.encode()).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53  # the bits that a float64 holds
