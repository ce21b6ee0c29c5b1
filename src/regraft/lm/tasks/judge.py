"""The task `judge`: will this user like this item? One dot product at each answer position."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from regraft.lm.activation import activated_at
from regraft.lm.base_model import BaseModel
from regraft.lm.batches import TokenBatch, batches
from regraft.lm.encode import Blocks
from regraft.lm.fast.last_layer import read_alone
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.verbalizer import Verbalizer

# An extra loss sees the log-odds of a batch and the numbers of its examples; it returns a weighted sum.
ExtraLoss = Callable[[Tensor, np.ndarray], Tensor]


def batch_states(base: BaseModel, batch: TokenBatch, trunk: Trunk | None = None) -> Tensor:
    """[examples, width]: the state after the final norm that each example of the batch is read from."""
    with activated_at(batch.active), read_alone(base, batch.row, batch.read, batch.ids.shape[1]):
        states = trunk.hidden(batch) if trunk else base.hidden(batch.ids, batch.visible, batch.position)
    return states[batch.row, batch.read]


def batch_log_odds(base: BaseModel, answers: Verbalizer, batch: TokenBatch, trunk: Trunk | None = None) -> Tensor:
    """logit(yes) - logit(no) for every example of the batch, fp32."""
    return base.log_odds(batch_states(base, batch, trunk), answers.yes, answers.no)


@dataclass(frozen=True)
class Judge:
    """Weighted log-loss of the labels, the objective of an adapter (and of a base built with `labels`)."""

    base: BaseModel
    blocks: Blocks
    answers: Verbalizer
    weights: np.ndarray  # float32 per example
    heavy_users: str = "sqrt"
    extra: Sequence[ExtraLoss] = ()
    trunk: Trunk | None = None  # where the adapter leaves the lower layers alone

    def step_weights(self, chosen: np.ndarray) -> np.ndarray:
        """Weight per example (of the whole view), zero outside the chosen blocks."""
        examples = np.flatnonzero(np.isin(self.blocks.block, chosen))
        weights = np.zeros(len(self.blocks.block), dtype=np.float32)
        weights[examples] = self._in_step(examples)
        return weights

    def _in_step(self, examples: np.ndarray) -> np.ndarray:
        """A user with m targets in a step counts like sqrt(m) targets, so that heavy users do not rule it.

        Targets of weight 0 are not counted: they are there for an extra loss or not at all.
        """
        weights = self.weights[examples]
        if self.heavy_users == "sqrt" and len(examples):
            _, user = np.unique(self.blocks.user[self.blocks.block[examples]], return_inverse=True)
            counted = np.bincount(user, weights=weights > 0)
            weights = weights / np.sqrt(np.maximum(counted, 1))[user]
        return weights.astype(np.float32)

    def read(self, steps: Sequence[np.ndarray], max_tokens: int) -> Iterator[Iterable[TokenBatch]]:
        """The batches of every step."""
        if self.trunk:
            return self.trunk.read(self.blocks, steps, max_tokens)
        return (batches(self.blocks, chosen, max_tokens, self.base.device) for chosen in steps)

    def loss(self, batch: TokenBatch, weights: np.ndarray) -> Tensor:
        """Weighted sum of the losses of the batch's examples."""
        if not len(batch.examples):
            return torch.zeros((), device=batch.ids.device, requires_grad=True)
        log_odds = batch_log_odds(self.base, self.answers, batch, self.trunk)
        label = torch.from_numpy(self.blocks.label[batch.examples].astype(np.float32)).to(log_odds.device)
        weight = torch.from_numpy(weights[batch.examples]).to(log_odds.device)
        total = (weight * F.binary_cross_entropy_with_logits(log_odds, label, reduction="none")).sum()
        for extra in self.extra:
            total = total + extra(log_odds, batch.examples)
        return total
