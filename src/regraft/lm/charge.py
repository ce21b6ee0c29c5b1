"""What a piece of work of a language model is charged: the tokens it reads, their FLOPs, and its trunk in full."""

from __future__ import annotations

from regraft.cost import Cost
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks
from regraft.lm.fast.shared_prefix import tokens_read
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.workshop import Workshop


class Lower:
    """Charges a piece of work for its trunk in full, as if nothing had been kept for it by others."""

    def __init__(self, trunk: Trunk | None) -> None:
        self.trunk, self.before = trunk, trunk.tokens if trunk else 0

    def charge(self, cost: Cost, tokens: int) -> None:
        """`tokens` are those that the trunk must have read once, whoever had it read them."""
        if self.trunk is None:
            return
        spared = max(0, tokens - (self.trunk.tokens - self.before))
        cost.tokens_trunk = tokens
        cost.cpu_seconds += spared * self.trunk.store.seconds_per_token
        cost.cache_bytes = tokens * self.trunk.store.width * self.trunk.store.dtype.itemsize


def tokens_scored(blocks: Blocks, base: BaseModel, trunk: Trunk | None) -> int:
    """Tokens that scoring the blocks reads."""
    return len(blocks.tokens.data) if trunk else tokens_read(blocks, base)


def flops(shop: Workshop, cost: Cost) -> float:
    """2N per token forward, 2N more per token for the gradients that flow through a frozen model.

    Where a trunk is kept, its layers read every token once and the top's read it in every pass.
    """
    trunk = shop.trunk
    share = trunk.split.share if trunk and cost.tokens_trunk else 0.0
    passes = share * cost.tokens_trunk + (1 - share) * (cost.tokens_forward + cost.tokens_backward)
    return 2.0 * shop.base.parameters * passes
