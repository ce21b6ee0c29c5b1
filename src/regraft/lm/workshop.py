"""What all labs of a run share: the base model with its adapters, the encoder, and fits and scores that are kept.

Threads may use one workshop at the same time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from threading import RLock

import numpy as np

from regraft.cost import Cost
from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.fit import Progress
from regraft.lm.graft import Grafts
from regraft.lm.kept_scores import KeptScores
from regraft.lm.options import AdapterOptions, CacheOptions, FitOptions
from regraft.lm.tokenize import adds_blank, opening_ids
from regraft.lm.trunk.split import Split
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.trunk.trunk_store import TrunkStore
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.template import Template

KEPT_BLOCKS = 64
KEPT_STATES = 8  # periods whose states stay in memory where they lie in a folder as well


@dataclass
class Workshop:
    """What all labs of a run share: the base model with its adapter slots, the encoder, the kept results."""

    base: BaseModel
    encoder: Encoder
    adapter: AdapterOptions = field(default_factory=AdapterOptions)
    fit: FitOptions = field(default_factory=FitOptions)
    folder: Path | None = None  # kept fits and scores; None: kept in memory only
    progress: Progress | None = None
    cache: CacheOptions = field(default_factory=CacheOptions)
    similarity: str = "tfidf"  # how stacks compare item texts
    keeps_states: bool = False  # a pass of the bare model keeps its states beside its scores, for heads on them

    def __post_init__(self) -> None:
        self.grafts = Grafts(self.base)
        if self.adapter.adapt == "targets":
            self.encoder = replace(self.encoder, apart=True)
        self.answers: Verbalizer = self.encoder.answers
        self.fits: dict[str, tuple[Adapter, Cost]] = {}
        self.scores: dict[str, KeptScores] = {}
        self.states: dict[str, KeptScores] = {}
        self._blocks: dict[str, Blocks] = {}
        self._told: set[str] = set()
        self._lock = RLock()  # labs may work in several threads

    @cached_property
    def warm(self) -> WarmPrefixes:
        """Histories that requests have read."""
        return WarmPrefixes(self.base)

    def reading(self, template: Template) -> Workshop:
        """The same workshop, where prompts are written with another template."""
        answers = Verbalizer.of(self.base.tokenizer, template)
        return replace(self, encoder=replace(self.encoder, template=template, answers=answers))

    def blocks(self, view: Stream) -> Blocks:
        key = view.fingerprint
        with self._lock:
            found = self._blocks.get(key)
        if found is None:
            found = self.encoder.encode(view)
            found = self.trunk.keyed(found, view) if self.trunk else found
            with self._lock:
                while len(self._blocks) >= KEPT_BLOCKS:
                    del self._blocks[next(iter(self._blocks))]
                self._blocks[key] = found
        return found

    @property
    def trunk(self) -> Trunk | None:
        """Kept states below the layers that adapters change; None where adapters change all, or nothing is kept."""
        with self._lock:
            return self._trunk

    @cached_property
    def _trunk(self) -> Trunk | None:
        top = self.adapter.top(self.base.n_layers)
        if top is None or self.cache.gib == 0:
            return None
        self.grafts.shape(self.adapter)  # says what is wrong with a number of layers
        split = Split.below(self.base, self.adapter)
        if split is None:
            if top < self.base.n_layers:
                self.base.notes.append("this model cannot be cut at a layer exactly: it runs whole, nothing is kept")
            return None
        made_for = {
            "base": self.base.hash, "layer": split.layer, "width": self.base.width,
            "dtype": str(self.base.dtype).removeprefix("torch."),
            "template": self.encoder.template.hash, "regime": str(self.encoder.regime), "refresh": self.encoder.refresh,
            "transformers": version("transformers"),
        }  # fmt: skip
        if self.encoder.compares != "none":
            made_for["similarity"] = self.encoder.compares
        name = hashlib.blake2b(json.dumps(made_for).encode(), digest_size=6).hexdigest()
        folder = Path(self.cache.folder) if self.cache.folder else self.folder
        return Trunk(split, TrunkStore(
            folder and folder / f"trunk-{name}", self.base.width, self.base.dtype, self.cache.bytes, made_for
        ))  # fmt: skip

    def news(self) -> list[str]:
        """What base model and store had to say since this was last asked."""
        said = [*self.base.notes, *(self.trunk.store.notes if self.trunk else ())]
        news = [note for note in said if note not in self._told]
        self._told.update(news)
        return news

    def trunk_of(self, adapter: Adapter | None) -> Trunk | None:
        """The trunk, where this adapter (or none) leaves its layers as they are."""
        layers = adapter.shape.layers if adapter else ()
        if self.trunk is None or layers is None or (layers and min(layers) < self.trunk.split.layer):
            return None
        return self.trunk

    def key(self, *parts: object) -> str:
        """Names a piece of work by everything it depends on."""
        encoder = self.encoder
        common = (
            self.base.hash, str(self.base.dtype), encoder.template.hash, str(encoder.regime), encoder.shape,
            encoder.refresh, encoder.item_tokens, opening_ids(encoder.tokenizer), adds_blank(encoder.tokenizer),
        )  # fmt: skip
        if encoder.compares != "none":
            parts = (*parts, encoder.compares)
        return hashlib.blake2b(repr((common, parts)).encode(), digest_size=16).hexdigest()

    def kept_scores(self, key: str) -> KeptScores:
        with self._lock:
            if key not in self.scores:
                self.scores[key] = self._read("scores", key)
            return self.scores[key]

    def keep_scores(
        self, key: str, rows: np.ndarray, scores: np.ndarray, cost: Cost, owners: np.ndarray
    ) -> KeptScores:  # fmt: skip
        """What is kept now, with these rows; those that another thread was quicker to score stay as they are."""
        with self._lock:
            kept = self.kept_scores(key).with_rows(rows, scores, cost, owners)
            self.scores[key] = self._written("scores", key, kept)
            return kept

    def kept_states(self, key: str) -> KeptScores:
        with self._lock:
            found = self.states.get(key) or self._read("states", key)
            return self._at_hand(key, found)

    def keep_states(
        self, key: str, rows: np.ndarray, states: np.ndarray, cost: Cost, owners: np.ndarray
    ) -> KeptScores:  # fmt: skip
        """As `keep_scores`, for states float32 [rows, width]."""
        with self._lock:
            kept = self.kept_states(key).with_rows(rows, states, cost, owners)
            return self._at_hand(key, self._written("states", key, kept))

    def _at_hand(self, key: str, kept: KeptScores) -> KeptScores:
        """States are large: without a folder all stay in memory, with one the newest few do."""
        self.states.pop(key, None)
        while self.folder and len(self.states) >= KEPT_STATES:
            del self.states[next(iter(self.states))]
        self.states[key] = kept
        return kept

    def _read(self, what: str, key: str) -> KeptScores:
        path = self.folder / what / f"{key}.npz" if self.folder else None
        return KeptScores.load(path) if path and path.is_file() else KeptScores()

    def _written(self, what: str, key: str, kept: KeptScores) -> KeptScores:
        if self.folder:
            kept.save(self.folder / what / f"{key}.npz")
        return kept
