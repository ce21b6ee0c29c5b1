"""A lab that trains nothing: it lets strategies ask for what they ask for and counts what that would take."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from regraft.arena.event_counter import EventCounter
from regraft.cost import CostMeter
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.blend import Blend
from regraft.lm.merge import How, Parts, merge
from regraft.lm.options import FitOptions

WIDTH = 4  # of a state, whatever the model's
SHAPE = AdapterShape(1, 1.0, ("counted",))


@dataclass
class Work:
    """Events read in training (every epoch) and in scoring; fits and their adapters; rows scored.

    `lower` are events that the trunk reads, where what it gives is kept: each once, for whoever comes first.
    """

    fits: int = 0
    trained: int = 0
    scored: int = 0
    rows: int = 0
    lower: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, name) + getattr(other, name) for name in Work.__dataclass_fields__))


@dataclass
class DoneWork:
    """What was done already: as in the arena, shared fits and scores are done once, by who comes first."""

    events: EventCounter
    fits: dict[str, Adapter] = field(default_factory=dict)
    scored: dict[str, np.ndarray] = field(default_factory=dict)  # adapter hash: mask over rows of the stream
    kept: np.ndarray | None = None  # mask over rows whose states are kept; None: none ever are

    def lower(self, rows: np.ndarray) -> int:
        """Events of these rows that the trunk has not read yet."""
        if self.kept is None:
            return 0
        new = rows[~self.kept[rows]]
        self.kept[new] = True
        return self.events.read(new)


class CountingLab:
    """Has what `regraft.lm.lab.Lab` offers to a strategy; `work` is what its calls would take anew."""

    def __init__(
        self, done_work: DoneWork, options: FitOptions, regime: Regime, seed: int = 0, similarity: str = "tfidf"
    ) -> None:
        self.done_work, self.options, self.regime, self.seed = done_work, options, regime, seed
        self.base_path, self.states_key, self.dry = "", "counted", True
        self.similarity = similarity
        self.rng = np.random.default_rng([seed, 1])
        self.meter = CostMeter()
        self.notes: list[str] = []
        self.trained: list[np.ndarray] = []
        self.work = Work()
        self._loss = 0.0

    def with_seed(self, seed: int) -> CountingLab:
        """Another lab that draws differently and counts in the same place."""
        other = CountingLab(self.done_work, self.options, self.regime, seed, self.similarity)
        other.meter, other.notes, other.trained, other.work = self.meter, self.notes, self.trained, self.work
        return other

    def fit(
        self, view: Stream, *, start: Adapter | None = None, lr: float | None = None, epochs: int | None = None,
        stop: Stream | None = None, extra_loss: Sequence[Any] = (), weights: np.ndarray | None = None,
    ) -> Adapter:  # fmt: skip
        """A tiny adapter of its own for every different fit; all epochs are counted, though some runs stop early."""
        if stop is None:
            rest, stop = view.hold_out(self.options.hold_out)
            view = rest if len(rest) else view
        self.trained.append(view.ids)
        epochs = epochs or self.options.epochs
        parts = (start.hash if start else "", lr, epochs, self.seed, hashlib.sha256(view.targets.tobytes()).hexdigest())
        key = repr((*parts, None if weights is None else hashlib.sha256(weights.tobytes()).hexdigest()))
        fits = self.done_work.fits
        if key not in fits or extra_loss:
            number = np.float32(len(fits) + 1)
            weight = {"counted.lora_A": np.ones((1, 1), np.float32), "counted.lora_B": np.full((1, 1), number)}
            fits[key] = Adapter(SHAPE, weight)
            self.work.fits += 1
            self.work.trained += epochs * self.done_work.events.read(view.targets)
            self.work.scored += epochs * self.done_work.events.read(stop.targets)
            self.work.lower += self.done_work.lower(np.union1d(view.targets, stop.targets))
        return fits[key]

    def score(self, blend: Blend, view: Stream) -> np.ndarray:
        """Zeros."""
        if blend.head is not None:
            return blend.head.log_odds(self.states(view))
        for adapter, _ in blend.parts:
            self.score_adapter(adapter, view)
        return np.zeros(len(view))

    def score_adapter(self, adapter: Adapter | None, view: Stream) -> np.ndarray:
        """Zeros; rows that this adapter scored before are not read again."""
        rows = len(self.done_work.events.stream.time)
        done = self.done_work.scored.setdefault(adapter.hash if adapter else "", np.zeros(rows, dtype=bool))
        new = view.targets[~done[view.targets]]
        done[new] = True
        self.work.rows += len(new)
        self.work.scored += self.done_work.events.read(new)
        self.work.lower += self.done_work.lower(new)
        return np.zeros(len(view))

    def states(self, view: Stream, *, served: bool = False) -> np.ndarray:
        """Zeros; read in the pass that scores the bare model."""
        self.score_adapter(None, view)
        return np.zeros((len(view), WIDTH), dtype=np.float32)

    def log_loss(self, blend: Blend, view: Stream) -> float:
        """Lower at every call, so that a strategy that keeps the better adapter goes on with the new one."""
        self.score(blend, view)
        self._loss -= 1.0
        return self._loss

    def merge(self, parts: Parts, how: How = "exact", rank: int | None = None) -> Adapter:
        return merge(parts, how, rank)
