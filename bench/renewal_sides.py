"""What a renewal is measured on: a layout on a log, and our way to learn it from states that are kept."""

from __future__ import annotations

import copy
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_tokens import RATE, SEED, STEP
from common import taken
from layouts import Layout, Material
from peers import Trained

from regraft.data.stream import Stream
from regraft.lm.base_model import BaseModel
from regraft.lm.fit import train
from regraft.lm.graft import Grafts
from regraft.lm.options import GIB, AdapterOptions, FitOptions
from regraft.lm.tasks.judge import Judge
from regraft.lm.trunk.split import Split
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.trunk.trunk_store import TrunkStore

EPOCHS = 2
HF = "HF Trainer"
QUARTER, FOUR = "top(1/4)", "top(4)"
TOKENS = 2048  # of ours at a time, about as many as the peer's
TOGETHER = 8  # prompts of the peer per forward: 32 with facts take more than 24 GiB and are no faster


@dataclass(frozen=True)
class Case:
    """A layout on a log, with the ratios aimed at: first update, further, further with the top 4 layers."""

    log: str
    layout: Layout
    targets: tuple[float | None, float | None, float | None]
    least: int = 0  # trained targets, where --targets says fewer

    @property
    def words(self) -> str:
        many = f", {self.least} targets or more" if self.least else ""
        return f"{self.log}, {self.layout.words}{many}"


@dataclass
class Ours:
    """One way to renew: adapters in the layers that `adapt` names, states below them in a store."""

    model: Any
    tokenizer: Any
    material: Material
    view: Stream
    adapt: str
    folder: Path  # of the store

    def trained(self, fresh: bool, seed: int = SEED) -> Trained:
        """The store is empty (`fresh`) or has everything; only reading, working out and training are timed."""
        base = BaseModel.of(copy.deepcopy(self.model), self.tokenizer)
        trunk, blocks = self._trunk(base, fresh)
        grafts = Grafts(base)
        slot = grafts.put(grafts.fresh(grafts.shape(AdapterOptions(adapt=self.adapt)), seed))
        weights = np.ones(len(blocks.block), np.float32)
        judge = Judge(base, blocks, self.material.answers[0], weights, heavy_users="full", trunk=trunk)
        options = FitOptions(lr=RATE, targets_per_step=STEP, batch_tokens=TOKENS)

        def work() -> None:
            trunk.fill(blocks)
            train(judge, slot, options, lr=RATE, epochs=EPOCHS, seed=seed)

        return Trained(base, taken(work), 0)

    def _trunk(self, base: BaseModel, fresh: bool) -> tuple[Trunk, Any]:
        split = Split.below(base, AdapterOptions(adapt=self.adapt))
        if split is None:
            sys.exit("this model cannot be cut at a layer: there is nothing to be kept")
        folder = Path(tempfile.mkdtemp(dir=self.folder)) if fresh else self.folder / self.adapt
        trunk = Trunk(split, TrunkStore(folder, base.width, base.dtype, 8 * GIB, {"width": base.width}))
        blocks = trunk.keyed(self.material.ours, self.view)
        if not fresh:
            trunk.fill(blocks)
        return trunk, blocks
