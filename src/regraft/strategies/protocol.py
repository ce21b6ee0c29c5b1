"""What a strategy is: a rule that turns (old blend, the past) into a new blend.

One file per strategy; the class is the file name in CamelCase, its fields are its settings, and it keeps
nothing between periods: what must be remembered goes into the blend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict

from regraft.data.stream import Stream
from regraft.lm.blend import Blend

if TYPE_CHECKING:
    from regraft.lm.lab import Lab


class Strategy(Protocol):
    """How a recommender is renewed when a period closes."""

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        """The new blend. `past` ends at the cut; `blend` is None at the first close."""


class Settings(BaseModel):
    """Base of a strategy's settings: unknown names and wrong values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def stored(self, past: Stream) -> int:
        """Examples that must be kept to be able to renew again: by default the newest period only."""
        return len(past.split_last()[0])
