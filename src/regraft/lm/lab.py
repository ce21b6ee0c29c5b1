"""The workbench handed to a strategy: fit, score, merge - in views, never tokens, files or devices.

The lab alone knows how hidden states are obtained. Fits and scores are kept by content (data, start,
settings, seed), so that work which several contenders share runs once; every contender is charged for it
in full all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from regraft import __version__
from regraft.cost import Cost, CostMeter, measured
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.adapter import Adapter
from regraft.lm.answers import Answers
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend, average_probability
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.fit import Progress, train
from regraft.lm.graft import Grafts
from regraft.lm.kept_scores import KeptScores
from regraft.lm.merge import How, Parts, merge
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.shared_prefix import tokens_read
from regraft.lm.tasks.judge import ExtraLoss, Judge
from regraft.metrics.binary import log_loss

KEPT_BLOCKS = 64


@dataclass
class Workshop:
    """What all labs of a run share: the base model with its adapter slots, the encoder, the kept results."""

    base: BaseModel
    encoder: Encoder
    adapter: AdapterOptions = field(default_factory=AdapterOptions)
    fit: FitOptions = field(default_factory=FitOptions)
    folder: Path | None = None  # kept fits and scores; None: kept in memory only
    progress: Progress | None = None

    def __post_init__(self) -> None:
        self.grafts = Grafts(self.base)
        self.answers: Answers = self.encoder.answers
        self.fits: dict[str, tuple[Adapter, Cost]] = {}
        self.scores: dict[str, KeptScores] = {}
        self._blocks: dict[str, Blocks] = {}

    def blocks(self, view: Stream) -> Blocks:
        key = view.fingerprint
        if key not in self._blocks:
            if len(self._blocks) >= KEPT_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[key] = self.encoder.encode(view)
        return self._blocks[key]

    def key(self, *parts: object) -> str:
        """Names a piece of work by everything it depends on."""
        encoder = self.encoder
        common = (
            self.base.hash, str(self.base.dtype), encoder.template.hash, str(encoder.regime), encoder.shape,
            encoder.refresh, encoder.item_tokens,
        )  # fmt: skip
        return hashlib.blake2b(repr((common, parts)).encode(), digest_size=16).hexdigest()

    def kept_scores(self, key: str) -> KeptScores:
        if key not in self.scores:
            path = self.folder / "scores" / f"{key}.npz" if self.folder else None
            self.scores[key] = KeptScores.load(path) if path and path.is_file() else KeptScores()
        return self.scores[key]

    def keep_scores(self, key: str, kept: KeptScores) -> None:
        self.scores[key] = kept
        if self.folder:
            (self.folder / "scores").mkdir(parents=True, exist_ok=True)
            kept.save(self.folder / "scores" / f"{key}.npz")


class Lab:
    """One contender's workbench in one period: `seed` draws everything, `meter` gathers the cost."""

    def __init__(self, workshop: Workshop, seed: int = 0) -> None:
        self.workshop, self.seed = workshop, seed
        self.rng = np.random.default_rng([seed, 1])
        self.meter = CostMeter()
        self.notes: list[str] = []

    def with_seed(self, seed: int) -> Lab:
        """Another lab that draws differently but charges the same meter."""
        other = Lab(self.workshop, seed)
        other.meter, other.notes = self.meter, self.notes
        return other

    @property
    def options(self) -> FitOptions:
        """How fits are run where a strategy does not say otherwise."""
        return self.workshop.fit

    @property
    def regime(self) -> Regime:
        return self.workshop.encoder.regime

    @property
    def base_path(self) -> str:
        return self.workshop.base.path

    # -- fit -----------------------------------------------------------------------------------

    def fit(
        self,
        view: Stream,
        *,
        start: Adapter | None = None,
        lr: float | None = None,
        epochs: int | None = None,
        stop: Stream | None = None,
        extra_loss: Sequence[ExtraLoss] = (),
        weights: np.ndarray | None = None,
    ) -> Adapter:
        """An adapter trained on the view's examples, from scratch or from `start`.

        `stop` (default: the last tenth of the newest period, which is then not trained on) decides by
        log-loss which epoch is kept. `weights` are per example of the view.
        """
        shop = self.workshop
        if not len(view):
            raise ModelError("fit", "the view has no examples", "at least one")
        if weights is None:
            weights = np.ones(len(view), dtype=np.float32)
        if stop is None:
            rest, stop = view.hold_out(shop.fit.hold_out)
            if len(rest):
                weights, view = weights[~np.isin(view.targets, stop.targets)], rest
        lr = lr or (shop.fit.lr if start is None else shop.fit.lr_incremental)
        epochs = epochs or shop.fit.epochs
        key = shop.key(
            "fit", view.fingerprint, start.hash if start else None, shop.adapter, shop.fit, lr, epochs, self.seed,
            stop.fingerprint, hashlib.blake2b(weights.tobytes()).hexdigest(),
        )  # fmt: skip
        known = None if extra_loss else self._kept_fit(key)
        if known is None:
            known = self._train(key, view, start, lr, epochs, stop, extra_loss, weights)
            if not extra_loss:
                self._keep_fit(key, *known)
        self.meter.charge(known[1])
        return known[0]

    def _train(
        self, key: str, view: Stream, start: Adapter | None, lr: float, epochs: int, stop: Stream,
        extra_loss: Sequence[ExtraLoss], weights: np.ndarray,
    ) -> tuple[Adapter, Cost]:  # fmt: skip
        shop = self.workshop
        with measured() as cost:
            shape = shop.grafts.shape(shop.adapter)
            adapter = start or shop.grafts.fresh(shape, self.seed)
            blocks = shop.blocks(view)
            slot = shop.grafts.put(adapter)
            judge = Judge(shop.base, blocks, shop.answers, weights, shop.fit.heavy_users, extra_loss)
            held = shop.blocks(stop) if len(stop) else None
            held_tokens = tokens_read(held, shop.base) if held is not None else 0
            watched = [0]

            def watch() -> float:
                assert held is not None
                watched[0] += held_tokens
                return log_loss(held.label, score_blocks(shop.base, shop.answers, held))

            # The key does not know extra losses, so what was begun under one must not be taken up under another.
            with shop.base.recomputing() if shop.fit.gradient_checkpointing else nullcontext():
                result = train(
                    judge, slot, shop.fit, lr=lr, epochs=epochs, seed=self.seed,
                    stop=watch if held is not None else None, progress=shop.progress,
                    checkpoint=None if extra_loss or not shop.folder else shop.folder / "fits" / f"{key}.checkpoint",
                )  # fmt: skip
            weights_now = shop.grafts.take(adapter.shape)
        cost.tokens_forward, cost.tokens_backward = result.cost.tokens_forward + watched[0], result.cost.tokens_backward
        cost.targets_trained = result.cost.targets_trained
        cost.flops = self._flops(cost.tokens_forward, cost.tokens_backward)
        lineage = self._lineage(view, stop, start, lr, epochs, result.losses)
        done = Adapter(
            adapter.shape, weights_now, {**lineage, "fan_in_fan_out": bool(adapter.lineage.get("fan_in_fan_out"))}
        )
        cost.adapter_bytes = done.bytes
        return done, cost

    def _lineage(
        self, view: Stream, stop: Stream, start: Adapter | None, lr: float, epochs: int, losses: list[float]
    ) -> dict[str, object]:
        import peft
        import torch
        import transformers

        shop = self.workshop
        period = view.period[view.targets]
        return {
            "base": shop.base.hash,
            "template": shop.encoder.template.hash,
            "tokenizer": shop.base.hash,
            "data": view.fingerprint,
            "stop": stop.fingerprint,
            "periods": [int(period.min()), int(period.max())],
            "before": int(view.time[-1]) + 1,
            "users": len(np.unique(view.users)),
            "examples": len(view),
            "parents": [start.hash] if start else [],
            "regime": str(shop.encoder.regime),
            "lr": lr,
            "epochs": epochs,
            "stop_losses": losses,
            "fit": shop.fit.model_dump(),
            "seed": self.seed,
            "versions": {
                "regraft": __version__, "torch": torch.__version__, "transformers": transformers.__version__,
                "peft": peft.__version__,
            },
        }  # fmt: skip

    # -- score ---------------------------------------------------------------------------------

    def score(self, blend: Blend, view: Stream) -> np.ndarray:
        """Log-odds per example of the view, before the blend's calibration."""
        weights = np.array([w for _, w in blend.parts])
        parts = np.stack([self.score_adapter(adapter, view) for adapter, _ in blend.parts])
        return parts[0] if len(parts) == 1 else average_probability(parts, weights / weights.sum())

    def score_adapter(self, adapter: Adapter | None, view: Stream) -> np.ndarray:
        """Log-odds per example under one adapter, or under the bare base model.

        A row's score does not depend on the rows beside it, so scores are kept row by row.
        """
        shop = self.workshop
        key = shop.key("score", view.root, adapter.hash if adapter else None)
        kept = shop.kept_scores(key)
        unknown = view.only(~np.isin(view.targets, kept.rows))
        if len(unknown):
            with measured() as cost:
                blocks = shop.blocks(unknown)
                if adapter is None:
                    with shop.grafts.bare():
                        scores = score_blocks(shop.base, shop.answers, blocks)
                else:
                    shop.grafts.put(adapter)
                    scores = score_blocks(shop.base, shop.answers, blocks)
            cost.tokens_forward = tokens_read(blocks, shop.base)
            cost.flops = self._flops(cost.tokens_forward, 0)
            kept = kept.with_rows(unknown.targets, scores, cost)
            shop.keep_scores(key, kept)
        self.meter.charge(kept.cost.share(len(view) / max(1, len(kept.rows))))
        return kept.scores[np.searchsorted(kept.rows, view.targets)]

    def log_loss(self, blend: Blend, view: Stream) -> float:
        """Mean log-loss of the blend on the view, before calibration."""
        return log_loss(view.labels, self.score(blend, view))

    # -- merge ---------------------------------------------------------------------------------

    def merge(self, parts: Parts, how: How = "exact", rank: int | None = None) -> Adapter:
        """One adapter that stands for the weighted sum; its error is noted."""
        merged = merge(parts, how, rank)
        self.notes.append(f"merge {how}: relative error {merged.lineage['merge_error']:.3g}")
        return merged

    # -- inside --------------------------------------------------------------------------------

    def _flops(self, forward: int, backward: int) -> float:
        """2N per token forward, 2N more per token for the gradients that flow through a frozen model."""
        return 2.0 * self.workshop.base.parameters * (forward + backward)

    def _kept_fit(self, key: str) -> tuple[Adapter, Cost] | None:
        shop = self.workshop
        if key not in shop.fits and shop.folder and (shop.folder / "fits" / key / "manifest.json").is_file():
            folder = shop.folder / "fits" / key
            shop.fits[key] = Adapter.load(folder), Cost(**json.loads((folder.parent / f"{key}.cost.json").read_text()))
        return shop.fits.get(key)

    def _keep_fit(self, key: str, adapter: Adapter, cost: Cost) -> None:
        shop = self.workshop
        shop.fits[key] = adapter, cost
        if shop.folder:
            folder = shop.folder / "fits"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{key}.cost.json").write_text(json.dumps(cost.as_dict()))
            adapter.save(folder / key, shop.base.path)
