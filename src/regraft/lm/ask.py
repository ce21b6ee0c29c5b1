"""Scores of one request: what serving asks for. The request brings all that its prompts need; no log is read."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import nullcontext

import numpy as np

from regraft.data.history import Request
from regraft.lm.adapter import Adapter
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend
from regraft.lm.encode import Blocks
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.lab import Workshop
from regraft.lm.options import GIB
from regraft.lm.score import score_blocks


class WarmAdapters:
    """Histories at hand under every adapter of a blend, each under its own: keys and values belong to one adapter.

    At most `most` adapters share `limit` bytes; the one that was asked for least recently goes.
    """

    def __init__(self, base: BaseModel, limit: int = GIB, most: int = 4) -> None:
        self.base, self.limit, self.most = base, limit, most
        self._adapters: OrderedDict[str, WarmPrefixes] = OrderedDict()

    def of(self, adapter: Adapter | None, at_targets: bool = False) -> WarmPrefixes:
        """The histories under this adapter; an adapter that acts `at_targets` alone reads the base model's."""
        name = "base" if adapter is None or at_targets else adapter.hash
        if name not in self._adapters:
            self._adapters[name] = WarmPrefixes(self.base, self.limit // self.most)
        self._adapters.move_to_end(name)
        while len(self._adapters) > self.most:
            self._adapters.popitem(last=False)
        return self._adapters[name]

    def __len__(self) -> int:
        return len(self._adapters)


def score_request(shop: Workshop, blend: Blend, request: Request, warm: WarmAdapters | None = None) -> np.ndarray:
    """float64 log-odds per candidate, before the blend's calibration: those of `Lab.score` to 1e-4 in fp32.

    With `warm`, what an earlier request of the same user read of the history is not read again.
    """
    blocks = shop.encoder.encode_request(request)
    return blend.average(np.stack([_score(shop, adapter, blocks, warm) for adapter, _ in blend.parts]))


def _score(shop: Workshop, adapter: Adapter | None, blocks: Blocks, warm: WarmAdapters | None) -> np.ndarray:
    if adapter is not None:
        shop.grafts.put(adapter)
    with nullcontext() if adapter else shop.grafts.bare():
        return score_blocks(
            shop.base, shop.answers, blocks, warm=None if warm is None else warm.of(adapter, blocks.at_targets)
        )
