"""Scores of one request: what serving asks for. The request brings all that its prompts need; no log is read."""

from __future__ import annotations

import numpy as np

from regraft.data.history import Request
from regraft.lm.blend import Blend
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.score import score_blocks
from regraft.lm.workshop import Workshop


def score_request(shop: Workshop, blend: Blend, request: Request, warm: WarmPrefixes | None = None) -> np.ndarray:
    """float64 log-odds per candidate, before the blend's calibration: those of `ModelLab.score` to 1e-4 in fp32.

    Of a blend with a head they are the head's, without a stack that it stands on.

    With `warm`, what an earlier request of the same user read of the history is not read again. Several threads may
    ask at once.
    """
    blocks, scores = shop.encoder.encode_request(request), []
    if blend.head is not None:
        states = np.zeros((len(blocks.block), shop.base.width), dtype=np.float32)
        with shop.grafts.on(None):
            score_blocks(shop.base, shop.answers, blocks, warm=warm, states=states)
        return blend.head.log_odds(states)
    for adapter, _ in blend.parts:
        with shop.grafts.on(adapter):
            scores.append(score_blocks(shop.base, shop.answers, blocks, warm=warm))
    return blend.average(np.stack(scores))
