"""Next-token prediction over the whole vocabulary: how a base model learns to read, without any label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from regraft.lm.base_model import BaseModel
from regraft.lm.batches import TokenBatch, batches
from regraft.lm.encode import Blocks


@dataclass(frozen=True)
class Text:
    """Mean cross-entropy of every next token."""

    base: BaseModel
    blocks: Blocks

    def step_weights(self, chosen: np.ndarray) -> np.ndarray:
        return np.array([max(1, int(self.blocks.tokens.lengths[chosen].sum()) - len(chosen))], dtype=np.float32)

    def read(self, steps: Sequence[np.ndarray], max_tokens: int) -> Iterator[Iterable[TokenBatch]]:
        return (batches(self.blocks, chosen, max_tokens, self.base.device) for chosen in steps)

    def loss(self, batch: TokenBatch, weights: np.ndarray) -> Tensor:
        """Sum over the batch's tokens; `weights` is unused: every token counts alike."""
        states = self.base.hidden(batch.ids, batch.visible, batch.position)[:, :-1]
        real = batch.inside[:, 1:]
        logits = self.base.model.get_output_embeddings()(states[real])
        return F.cross_entropy(logits.float(), batch.ids[:, 1:][real], reduction="sum")
