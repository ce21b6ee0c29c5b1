"""What a strategy is: a rule that turns (old blend, the past) into a new blend; and the lab it works with.

One file per strategy; the class is the file name in CamelCase, its fields are its settings, and it keeps
nothing between periods: what must be remembered goes into the blend. Rows are remembered by row id, in an
array of `blend.state` whose name ends with `.rows`; arrays of the same length beside it ("reservoir.rows",
"reservoir.keys") belong to those rows. Rows that are gone from the log are dropped from all of them at the next
close, before the strategy sees its blend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from regraft.cost import CostMeter
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.blend import Blend
from regraft.lm.merge import How, Parts
from regraft.lm.options import FitOptions


class Lab(Protocol):
    """The workbench handed to a strategy: it fits, scores and merges in views, and counts what that costs.

    `seed` and `rng` draw everything, `notes` are told to the user, `trained` lists the row ids of every fit.
    """

    seed: int
    rng: np.random.Generator
    meter: CostMeter
    notes: list[str]
    trained: list[np.ndarray]

    @property
    def options(self) -> FitOptions:
        """How fits are run where a strategy does not say otherwise."""

    @property
    def regime(self) -> Regime:
        """What is known when."""

    @property
    def similarity(self) -> str:
        """How item texts are compared: the setting of prompts/similarity that stacks use."""

    @property
    def base_path(self) -> str:
        """Where the base model lies; empty where there is none."""

    def with_seed(self, seed: int) -> Lab:
        """Another lab that draws differently but charges, notes and lists in the same place."""

    def fit(
        self, view: Stream, *, start: Adapter | None = None, lr: float | None = None, epochs: int | None = None,
        stop: Stream | None = None, extra_loss: Sequence[Any] = (), weights: np.ndarray | None = None,
    ) -> Adapter:  # fmt: skip
        """An adapter trained on the view's examples, from scratch or from `start`.

        `stop` decides which epoch is kept; without it, the last tenth of the newest period, which is then not
        trained on. `weights` are per example.
        """

    @property
    def states_key(self) -> str:
        """Names all that a state depends on beside the log; states under another name are not comparable."""

    @property
    def dry(self) -> bool:
        """True where work is only counted: classical models need not be fitted either."""

    def score(self, blend: Blend, view: Stream) -> np.ndarray:
        """Log-odds per example, before the blend's calibration; of a head, without a stack that it stands on."""

    def score_adapter(self, adapter: Adapter | None, view: Stream) -> np.ndarray:
        """Log-odds per example under one adapter, or under the bare base model."""

    def states(self, view: Stream, *, served: bool = False) -> np.ndarray:
        """float32 [examples, width]: the bare model's states, after the final norm, that its answers are read from.

        `served`: the caller's own scoring of these rows was charged; only what must be read anew is charged.
        """

    def log_loss(self, blend: Blend, view: Stream) -> float:
        """Mean log-loss of the blend on the view, before calibration."""

    def merge(self, parts: Parts, how: How = "exact", rank: int | None = None) -> Adapter:
        """One adapter that stands for the weighted sum."""


class Strategy(Protocol):
    """How a recommender is renewed when a period closes."""

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        """The new blend. `past` ends at the cut; `blend` is None at the first close."""


class Settings(BaseModel):
    """Base of a strategy's settings: unknown names and wrong values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def reads_states(self) -> bool:
        """Whether it asks for states: then passes of the bare model keep them."""
        return False

    @property
    def rung(self) -> str:
        """Its place on the ladder (regraft.rungs)."""
        return "renewed"

    def stored(self, past: Stream) -> int:
        """Examples that must be kept to be able to renew again: by default the newest period only."""
        return len(past.split_last()[0])
