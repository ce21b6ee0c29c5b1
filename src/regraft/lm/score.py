"""The one scoring path: log-odds for every example of some blocks, under whatever adapter is on.

Many targets of one user share one history, so scoring a hundred candidates reads the history once.
"""

from __future__ import annotations

import numpy as np
import torch

from regraft.errors import ModelError
from regraft.lm.answers import Answers
from regraft.lm.base_model import BaseModel
from regraft.lm.batches import batches
from regraft.lm.encode import Blocks
from regraft.lm.shared_prefix import requests, states_of
from regraft.lm.tasks.judge import batch_log_odds


def score_blocks(
    base: BaseModel, answers: Answers, blocks: Blocks, max_tokens: int = 16_384, left: bool = False
) -> np.ndarray:
    """float64 per example, in the order of the view; `left` pads on the left (the scores are the same)."""
    scores = np.full(len(blocks.block), np.nan)
    with torch.inference_mode():
        shared, others = ([], np.arange(len(blocks))) if left else requests(blocks, base)
        for request in shared:
            log_odds = base.log_odds(states_of(base, blocks, request), answers.yes, answers.no)
            scores[request.examples] = log_odds.double().cpu().numpy()
        for batch in batches(blocks, others, max_tokens, base.device, left):
            scores[batch.examples] = batch_log_odds(base, answers, batch).double().cpu().numpy()
    if not np.isfinite(scores).all():
        raise ModelError(
            "scores",
            f"{int((~np.isfinite(scores)).sum()):,} of {len(scores):,} are not finite numbers",
            "finite log-odds",
            "Compute in fp32 (base.dtype), or train again with a lower learning rate (fit.lr)",
        )
    return scores
