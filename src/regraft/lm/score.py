"""The one scoring path: log-odds for every example of some blocks, under whatever adapter is on.

Many targets of one user share one history, so scoring a hundred candidates reads the history once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from regraft.errors import ModelError
from regraft.lm.base_model import BaseModel
from regraft.lm.batches import TokenBatch, batches, grouped
from regraft.lm.encode import Blocks
from regraft.lm.fast.shared_prefix import PrefixGroup, prefix_groups, states_of
from regraft.lm.fast.side_by_side import side_by_side
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.tasks.judge import batch_states
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.verbalizer import Verbalizer


def score_blocks(
    base: BaseModel, answers: Verbalizer, blocks: Blocks, max_tokens: int = 16_384, left: bool = False,
    trunk: Trunk | None = None, warm: WarmPrefixes | None = None, states: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """float64 per example, in the order of the view; `left` pads on the left (the scores are the same).

    The adapter is the one that acts in this thread (`Grafts.on`); several threads may score at once.

    With a trunk its states are kept for the next pass: then every history is read as training reads it. With `warm`,
    histories with candidates behind them stay at hand for the next request of the same user. With both, `warm` serves
    these, since candidates need the keys and values of every layer, which a trunk does not keep; the trunk serves all
    other blocks.

    `states` float32 [examples, width] is filled with the states, after the final norm, that the scores are read from.
    """
    scores = np.full(len(blocks.block), np.nan)

    def read_out(examples: np.ndarray, found: Tensor) -> None:
        scores[examples] = base.log_odds(found, answers.yes, answers.no).double().cpu().numpy()
        if states is not None:
            states[examples] = found.float().cpu().numpy()

    with torch.inference_mode():
        shared: list[PrefixGroup] = []
        others = np.arange(len(blocks))
        if not left and (trunk is None or warm is not None):
            shared, others = prefix_groups(blocks, base, None if warm is None else 1)
        for group in shared:
            read_out(group.examples, states_of(base, blocks, group, warm))

        def score(batch: TokenBatch) -> None:
            read_out(batch.examples, batch_states(base, batch, trunk))

        for step in _read(blocks, others, max_tokens, base, left, trunk) if len(others) else ():
            for _ in side_by_side(score, step, base.device):
                pass
    if not np.isfinite(scores).all():
        raise ModelError(
            "scores", "{n:,} of {of:,} are not finite numbers", "finite log-odds",
            "Compute in fp32 (base.dtype), or train again with a lower learning rate (fit.lr)",
            n=int((~np.isfinite(scores)).sum()), of=len(scores),
        )  # fmt: skip
    return scores


def _read(
    blocks: Blocks, chosen: np.ndarray, max_tokens: int, base: BaseModel, left: bool, trunk: Trunk | None
) -> Iterator[Iterable[TokenBatch]]:
    """Steps of batches; with a trunk, each of some that were read together."""
    if trunk is None:
        return iter([batches(blocks, chosen, max_tokens, base.device, left)])
    steps = list(grouped(blocks, chosen, max_tokens))
    return trunk.read(blocks, steps, max_tokens, left)
