"""The workbench handed to a strategy: fit, score, merge - in views, never tokens, files or devices.

The lab alone knows how hidden states are obtained. Fits and scores are kept by content (data, start,
settings, seed), so that work which several contenders share runs once; every contender is charged for it
in full all the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext

import numpy as np

from regraft.cost import Cost, CostMeter, measured
from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.files import alone, remove, write_text
from regraft.lm.adapter import Adapter
from regraft.lm.ask import score_request
from regraft.lm.blend import Blend
from regraft.lm.charge import Lower, flops, tokens_scored
from regraft.lm.kept_scores import KeptScores
from regraft.lm.merge import How, Parts, merge
from regraft.lm.options import FitOptions
from regraft.lm.owner import owners_of
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import ExtraLoss
from regraft.lm.train_adapter import train_adapter
from regraft.lm.workshop import Workshop
from regraft.metrics.binary import log_loss


class ModelLab:
    """One contender's workbench in one period: `seed` draws everything, `meter` gathers the cost."""

    def __init__(self, workshop: Workshop, seed: int = 0) -> None:
        self.workshop, self.seed = workshop, seed
        self.rng = np.random.default_rng([seed, 1])
        self.meter = CostMeter()
        self.notes: list[str] = []
        self.trained: list[np.ndarray] = []

    def with_seed(self, seed: int) -> ModelLab:
        """Another lab that draws differently but charges the same meter."""
        other = ModelLab(self.workshop, seed)
        other.meter, other.notes, other.trained = self.meter, self.notes, self.trained
        return other

    dry = False  # work is done, not counted

    @property
    def options(self) -> FitOptions:
        """How fits are run where a strategy does not say otherwise."""
        return self.workshop.fit

    @property
    def regime(self) -> Regime:
        return self.workshop.encoder.regime

    @property
    def similarity(self) -> str:
        return self.workshop.similarity

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
        self.trained.append(view.ids)
        lr = lr or (shop.fit.lr if start is None else shop.fit.lr_incremental)
        epochs = epochs or shop.fit.epochs
        key = shop.key(
            "fit", view.fingerprint, start.hash if start else None, shop.adapter, shop.fit, lr, epochs, self.seed,
            stop.fingerprint, hashlib.blake2b(weights.tobytes()).hexdigest(),
        )  # fmt: skip
        # Contenders in several processes want the same fit at the same time: one trains, the others wait for it.
        with alone(shop.folder / "locks" / key) if shop.folder else nullcontext():
            known = None if extra_loss else self._kept_fit(key)
            if known is None:
                known = train_adapter(
                    shop, key, view, start, stop, lr=lr, epochs=epochs, seed=self.seed, weights=weights,
                    extra_loss=extra_loss,
                )  # fmt: skip
                if not extra_loss:
                    self._keep_fit(key, *known)
        self.meter.charge(known[1])
        self.notes += shop.news()
        return known[0]

    # -- score ---------------------------------------------------------------------------------

    def score(self, blend: Blend, view: Stream) -> np.ndarray:
        """Log-odds per example of the view, before the blend's calibration; of a head, without a stack it stands on."""
        if blend.head is not None:
            return blend.head.log_odds(self.states(view))
        return blend.average(np.stack([self.score_adapter(adapter, view) for adapter, _ in blend.parts]))

    def score_request(self, blend: Blend, request: Request) -> np.ndarray:
        """Log-odds per candidate, before the blend's calibration; what was read of a history is kept warm."""
        return score_request(self.workshop, blend, request, self.workshop.warm)

    def score_adapter(self, adapter: Adapter | None, view: Stream) -> np.ndarray:
        """Log-odds per example under one adapter, or under the bare base model.

        A row's score depends on what was known at its time, not on the rows beside it or after it: scores are kept
        by row id, under the name of all rows up to the end of the row's period, and serve every later view.
        """
        with_states = adapter is None and self.workshop.keeps_states
        found = np.zeros(len(view))
        for _, mine, kept in self._kept(adapter, view, self.workshop.kept_scores, "score", with_states):
            found[mine] = kept.of(view.ids[mine])
            self.meter.charge(kept.cost(view.ids[mine]))
        return found

    def states(self, view: Stream, *, served: bool = False) -> np.ndarray:
        """float32 [examples, width]: the bare model's states, after the final norm, that its answers are read from.

        They are kept as scores are, and one pass gives both. `served` says that the caller's own scoring of these rows
        was charged already: then only what is not kept, and must be read now, is charged.
        """
        found = np.zeros((len(view), self.workshop.base.width), dtype=np.float32)
        for known, mine, kept in self._kept(None, view, self.workshop.kept_states, "states", True):
            found[mine] = kept.of(view.ids[mine])
            self.meter.charge(kept.cost(view.ids[mine & ~known if served else mine]))
        return found

    @property
    def states_key(self) -> str:
        """Names all that a state depends on beside the log: base model, its type, template, form of the prompts."""
        return self.workshop.key("states")

    def _kept(
        self, adapter: Adapter | None, view: Stream, kept_under: Callable[[str], KeptScores], what: str, states: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray, KeptScores]]:
        """Per period (examples that were kept before, its examples, what is kept), once all of them are."""
        shop, ids, period = self.workshop, view.ids, view.period[view.targets]
        named = {int(p): view.scored_under(int(p)) for p in np.unique(period)}
        keys = {p: shop.key(what, name, adapter.hash if adapter else None) for p, name in named.items()}
        known = np.ones(len(view), dtype=bool)
        for p, key in keys.items():
            known[period == p] = np.isin(ids[period == p], kept_under(key).rows)
        if not known.all():
            self._read(adapter, view.only(~known), named, states)
            self.notes += shop.news()
        for p, key in keys.items():
            yield known, period == p, kept_under(key)

    def _read(self, adapter: Adapter | None, view: Stream, named: Mapping[int, str], states: bool) -> None:
        """Scores the view in one pass and keeps what it gives, by period."""
        shop, period = self.workshop, view.period[view.targets]
        found = np.zeros((len(view), shop.base.width), dtype=np.float32) if states else None
        scores, cost = self._scored(adapter, view, found)
        for p in np.unique(period):
            mine, name = period == p, named[int(p)]
            share, rows, whose = cost.share(mine.mean()), view.ids[mine], owners_of(view.user_ids, view.users[mine])
            key = shop.key("score", name, adapter.hash if adapter else None)
            shop.keep_scores(key, rows, scores[mine], share, whose)
            if found is not None:
                shop.keep_states(shop.key("states", name, None), rows, found[mine], share, whose)

    def _scored(self, adapter: Adapter | None, view: Stream, states: np.ndarray | None) -> tuple[np.ndarray, Cost]:
        """Scores that nobody has kept, and what they took; `states` is filled with what they are read from."""
        shop = self.workshop
        with measured() as cost:
            blocks, trunk = shop.blocks(view), shop.trunk_of(adapter)
            lower = Lower(trunk)
            with shop.grafts.on(adapter):
                scores = score_blocks(shop.base, shop.answers, blocks, trunk=trunk, states=states)
        cost.tokens_forward = tokens_scored(blocks, shop.base, trunk)
        lower.charge(cost, cost.tokens_forward)
        cost.flops = flops(shop, cost)
        return scores, cost

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

    def _kept_fit(self, key: str) -> tuple[Adapter, Cost] | None:
        shop = self.workshop
        folder = shop.folder / "fits" / key if shop.folder else None
        if key not in shop.fits and folder and (folder / "manifest.json").is_file():
            try:
                cost = Cost(**json.loads((folder.parent / f"{key}.cost.json").read_text()))
                shop.fits[key] = Adapter.load(folder), cost
            except (ModelError, OSError, ValueError, TypeError) as error:
                remove(folder)
                self.notes.append(f"a kept adapter was damaged and is trained again ({error})".replace("\n", " "))
        return shop.fits.get(key)

    def _keep_fit(self, key: str, adapter: Adapter, cost: Cost) -> None:
        shop = self.workshop
        shop.fits[key] = adapter, cost
        if shop.folder:
            folder = shop.folder / "fits"
            write_text(folder / f"{key}.cost.json", json.dumps(cost.as_dict()))
            adapter.save(folder / key, shop.base.path)
