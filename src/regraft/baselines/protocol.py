"""What a baseline is: it is renewed with the past and scores cases, and all it has fitted is a few named arrays.

One file per baseline; the class is the file name in CamelCase, made from (regime, seed, **settings). Saving,
loading and what scoring is charged are not its business (strategies/contender.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Protocol

import numpy as np
from pydantic import AfterValidator

from regraft.cost import Renewal
from regraft.data.stream import Stream
from regraft.prompts.similarity.protocol import checked

# A baseline with a setting of this name and no value for it gets that of the run.
SimilaritySetting = Annotated[str, AfterValidator(checked)]


class Baseline(Protocol):
    """A classical model; `rung` is its place on the ladder (regraft.rungs)."""

    @property
    def rung(self) -> str:
        """How much model it uses."""

    def renew(self, past: Stream) -> Renewal:
        """Learns from the past, which ends at the cut."""

    def score(self, cases: Stream) -> np.ndarray:
        """Log-odds, one per case; no case is dropped."""

    def arrays(self) -> dict[str, np.ndarray]:
        """All that was fitted, in numbers and strings: enough to score in another process, to the bit."""

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `arrays` gave."""


def under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): a for name, a in arrays.items() if name.startswith(f"{prefix}.")}


def named(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with `prefix.` before every name."""
    return {f"{prefix}.{name}": a for name, a in arrays.items()}
