"""A lab without a language model and without PyTorch: strategies can be tested by what they ask of it.

Every call is recorded. An adapter of this lab is tiny and real (it is saved, hashed and merged like any
other), and what it says is known: items fall into BUCKETS by their code, and the log-odds of a case are the
smoothed log-odds of a like among the examples of its bucket, `log((likes + 1) / (dislikes + 1))`. Training
from an earlier adapter goes half of the way, in the buckets that have examples. The state of a case is its bucket,
one-hot; the bare base model says 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from regraft.cost import Cost, CostMeter
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.blend import Blend, average_probability
from regraft.lm.merge import How, Parts, merge
from regraft.lm.options import FitOptions
from regraft.metrics.binary import log_loss

BUCKETS = 8
MODULE = "fake"
TOKENS = 10  # per example, read or trained on


@dataclass(frozen=True)
class Call:
    """What a strategy asked for: `view` is None for a merge, `asked` holds the other arguments."""

    what: Literal["fit", "score", "states", "merge"]
    view: Stream | None
    asked: dict[str, Any] = field(default_factory=dict)


class FakeLab:
    """Has what `regraft.lm.lab.Lab` offers to a strategy; `calls` lists what was asked, in order."""

    def __init__(self, seed: int = 0, options: FitOptions | None = None, regime: Regime | None = None) -> None:
        self.seed = seed
        self.options = options or FitOptions()
        self.regime = regime or Regime()
        self.base_path, self.states_key, self.dry = "", "fake", False
        self.similarity = "tfidf"
        self.rng = np.random.default_rng([seed, 1])
        self.meter = CostMeter()
        self.notes: list[str] = []
        self.trained: list[np.ndarray] = []
        self.calls: list[Call] = []

    def with_seed(self, seed: int) -> FakeLab:
        """Another lab that draws differently but records, charges and notes in the same place."""
        other = FakeLab(seed, self.options, self.regime)
        other.meter, other.notes, other.trained, other.calls = self.meter, self.notes, self.trained, self.calls
        return other

    def asked(self, what: Literal["fit", "score", "states", "merge"]) -> list[Call]:
        """The calls of one kind."""
        return [call for call in self.calls if call.what == what]

    def fit(
        self,
        view: Stream,
        *,
        start: Adapter | None = None,
        lr: float | None = None,
        epochs: int | None = None,
        stop: Stream | None = None,
        extra_loss: Sequence[Any] = (),
        weights: np.ndarray | None = None,
    ) -> Adapter:
        """Learns from the view; without `stop`, from all but the last tenth of its newest period."""
        asked = {"start": start, "lr": lr, "epochs": epochs, "stop": stop, "weights": weights, "seed": self.seed}
        self.calls.append(Call("fit", view, asked))
        if not len(view):
            raise ModelError("fit", "the view has no examples", "at least one")
        if weights is None:
            weights = np.ones(len(view))
        if stop is None:
            rest, stop = view.hold_out(self.options.hold_out)
            if len(rest):
                weights, view = weights[~np.isin(view.targets, stop.targets)], rest
        self.trained.append(view.ids)
        log_odds, heard = _bucket_log_odds(view, weights)
        if start is not None:
            log_odds = np.where(heard, (said(start) + log_odds) / 2, said(start))
        adapter = adapter_of(log_odds, self.seed)
        times = len(view) * (epochs or self.options.epochs)
        self.meter.charge(
            Cost(
                cpu_seconds=times / 1000, tokens_forward=TOKENS * times, tokens_backward=TOKENS * times,
                targets_trained=times, adapter_bytes=adapter.bytes,
            )
        )  # fmt: skip
        return adapter

    def score(self, blend: Blend, view: Stream) -> np.ndarray:
        """Log-odds per example, before the blend's calibration."""
        if blend.head is not None:
            return blend.head.log_odds(self.states(view))
        weights = np.array([w for _, w in blend.parts])
        parts = np.stack([self.score_adapter(adapter, view) for adapter, _ in blend.parts])
        return parts[0] if len(parts) == 1 else average_probability(parts, weights / weights.sum())

    def score_adapter(self, adapter: Adapter | None, view: Stream) -> np.ndarray:
        """What the adapter says of each example; the bare base model says 0."""
        self.calls.append(Call("score", view, {"adapter": adapter}))
        self.meter.charge(Cost(cpu_seconds=len(view) / 1000, tokens_forward=TOKENS * len(view)))
        if adapter is None:
            return np.zeros(len(view))
        return said(adapter)[view.item[view.targets] % BUCKETS]

    def states(self, view: Stream, *, served: bool = False) -> np.ndarray:
        """float32 [examples, BUCKETS]: 1 at the bucket of the item; what was served is kept and costs nothing."""
        self.calls.append(Call("states", view, {"served": served}))
        if not served:
            self.meter.charge(Cost(cpu_seconds=len(view) / 1000, tokens_forward=TOKENS * len(view)))
        return np.eye(BUCKETS, dtype=np.float32)[view.item[view.targets] % BUCKETS]

    def log_loss(self, blend: Blend, view: Stream) -> float:
        """Mean log-loss of the blend on the view, before calibration."""
        return log_loss(view.labels, self.score(blend, view))

    def merge(self, parts: Parts, how: How = "exact", rank: int | None = None) -> Adapter:
        """One adapter for the weighted sum, by the real algebra."""
        self.calls.append(Call("merge", None, {"parts": tuple(parts), "how": how, "rank": rank}))
        merged = merge(parts, how, rank)
        self.notes.append(f"merge {how}: relative error {merged.lineage['merge_error']:.3g}")
        return merged


def adapter_of(log_odds: np.ndarray, seed: int = 0) -> Adapter:
    """An adapter that says `log_odds` [BUCKETS]. Its factors depend on the seed, their product does not."""
    size = np.float32(2.0 ** (seed % 8))
    b = (np.asarray(log_odds, dtype=np.float32) / size)[:, None]
    return Adapter(AdapterShape(1, 1.0, (MODULE,)), {f"{MODULE}.lora_A": np.full((1, 1), size), f"{MODULE}.lora_B": b})


def said(adapter: Adapter) -> np.ndarray:
    """Log-odds per bucket, float64 [BUCKETS]."""
    return adapter.delta(MODULE)[:, 0].astype(np.float64)


def _bucket_log_odds(view: Stream, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(smoothed log-odds, whether there are examples) per bucket."""
    bucket = view.item[view.targets] % BUCKETS
    likes = np.bincount(bucket, weights=weights * view.labels, minlength=BUCKETS)
    total = np.bincount(bucket, weights=weights, minlength=BUCKETS)
    return np.log((likes + 1) / (total - likes + 1)), total > 0
