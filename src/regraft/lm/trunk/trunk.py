"""The trunk is read once: states that enter the top are kept, and every later pass begins there.

A state depends on the model below the split and on the tokens up to its own, on nothing else. So a part of a text
(the head, one event with its answer, one isolated copy) is known by a chain of hashes over all tokens before it:
another template, fact, tokenizer or history makes another chain, and an event is the same part in whatever block,
view, period or strategy it is read. A copy stands where its prefix ends and sees nothing but it, so it is a part
behind that prefix like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from regraft.data.stream import Stream
from regraft.data.user_order import ranges
from regraft.lm.batches import TokenBatch, batches, grouped
from regraft.lm.encode import Blocks
from regraft.lm.fast.side_by_side import cpu_seconds, side_by_side
from regraft.lm.owner import owners_of
from regraft.lm.trunk.split import Split
from regraft.lm.trunk.trunk_store import TrunkStore

T = TypeVar("T")


@dataclass
class Trunk:
    """Gives hidden states through the store; `seconds` and `tokens` count what the trunk itself really took."""

    split: Split
    store: TrunkStore
    seconds: float = 0.0
    tokens: int = 0
    lock: Lock = field(default_factory=Lock, repr=False)

    def keyed(self, blocks: Blocks, view: Stream) -> Blocks:
        """The blocks with the key of every part and the owner of every block."""
        owner = owners_of(view.user_ids, blocks.user)
        return replace(blocks, keys=_chain(blocks, owner), owner=owner)

    def fill(self, blocks: Blocks, max_tokens: int = 16_384) -> None:
        """Reads what is not kept yet, in batches of like length that depend on nothing but the blocks.

        Rounding depends on what is read together; so a run that was killed ends with the same bits as one that was not.
        """
        steps = list(grouped(blocks, np.arange(len(blocks)), max_tokens))
        for step in self.read(blocks, steps, max_tokens):
            for _ in side_by_side(self._completed, step, self.split.base.device):
                pass

    def read(
        self, blocks: Blocks, steps: Sequence[np.ndarray], max_tokens: int, left: bool = False
    ) -> Iterator[list[TokenBatch]]:
        """For every step the batches of its blocks, with the states that are kept.

        While the top runs on one step, the next one is read, unless there is something to be put first: what is found
        must not depend on who is quicker.
        """
        self.store.round(int(sum(blocks.tokens.lengths[chosen].sum() for chosen in steps)))
        device = self.split.base.device
        yield from ahead(
            ([self._kept(b) for b in batches(blocks, chosen, max_tokens, device, left)] for chosen in steps), _complete
        )
        self.store.flush()

    def hidden(self, batch: TokenBatch) -> Tensor:
        """Last hidden states of a batch; what is not kept goes through the trunk now."""
        return self.split.upper(self._completed(batch), batch.visible, batch.position)

    # -- inside --------------------------------------------------------------------------------

    def _completed(self, batch: TokenBatch) -> Tensor:
        assert batch.states is not None and batch.found is not None
        if not batch.found.all():
            self._work_out(batch, batch.states, batch.found)
        return batch.states

    def _kept(self, batch: TokenBatch) -> TokenBatch:
        assert batch.parts is not None
        base, (rows, tokens) = self.split.base, batch.ids.shape
        flat = torch.zeros(rows * tokens, self.store.width, dtype=base.dtype)
        found = self.store.read(batch.parts.key, batch.parts.length, batch.parts.place, flat)
        return replace(batch, states=flat.view(rows, tokens, -1).to(base.device), found=found)

    def _work_out(self, batch: TokenBatch, states: Tensor, found: np.ndarray) -> None:
        parts = batch.parts
        assert parts is not None
        rows = np.unique(parts.place[~found] // batch.ids.shape[1])
        mine = torch.from_numpy(rows).to(batch.ids.device)
        inside = batch.inside[mine]
        columns = torch.nonzero(inside.any(0))[:, 0]
        first, end = int(columns[0]), int(columns[-1]) + 1
        near = slice(first, end)
        cpu = cpu_seconds()
        with torch.no_grad():
            lower = self.split.lower(
                batch.ids[mine, near],
                None if batch.visible is None else batch.visible[mine, near, near],
                None if batch.position is None else batch.position[mine, near],
            )
            states[mine, near] = lower * inside[:, near, None]
        cpu = cpu_seconds() - cpu
        tokens = int(inside.sum())
        with self.lock:
            self.seconds, self.tokens = self.seconds + cpu, self.tokens + tokens
        new = np.flatnonzero(~found)
        place = torch.from_numpy(ranges(parts.place[new], parts.length[new])).to(states.device)
        self.store.put(
            parts.key[new], parts.owner[new], parts.length[new], states.reshape(-1, states.shape[-1])[place].cpu(),
            cpu * len(place) / max(1, tokens),
        )  # fmt: skip


def _complete(step: list[TokenBatch]) -> bool:
    return all(batch.found is not None and batch.found.all() for batch in step)


def ahead(items: Iterator[T], early: Callable[[T], bool] = lambda _: True) -> Iterator[T]:
    """The same items, made in another thread: each while the one before it is used if that is `early`, else after."""
    with ThreadPoolExecutor(1, "prefetch") as pool:
        nothing: Any = object()
        item = pool.submit(next, items, nothing).result()
        while item is not nothing:
            coming = pool.submit(next, items, nothing) if early(item) else None
            yield item
            item = (coming or pool.submit(next, items, nothing)).result()


def _chain(blocks: Blocks, owner: np.ndarray) -> np.ndarray:
    """Key [parts, 2] of every part: a hash of the user and of all tokens up to its end that it sees."""
    raw = np.ascontiguousarray(blocks.tokens.data, dtype=np.int32).data.cast("B")
    part, starts = blocks.part.tolist(), blocks.tokens.start.tolist()
    copies = blocks.segment[np.minimum(blocks.part[:-1], max(0, len(blocks.segment) - 1))] > 0
    limits = blocks.limit[np.minimum(blocks.part[:-1], max(0, len(blocks.limit) - 1))].tolist()
    keys, number = [], 0
    for block, who in enumerate(owner):
        start, end = starts[block], starts[block + 1]
        # The head is everybody's; what follows is one person's.
        head = blake2b(raw[4 * part[number] : 4 * part[number + 1]], digest_size=16).digest()
        keys.append(head)
        line = head + who.tobytes()
        behind = {part[number + 1] - start: line}
        number += 1
        while number < len(part) - 1 and part[number] < end:
            text = raw[4 * part[number] : 4 * part[number + 1]]
            copy = bool(copies[number])
            digest = blake2b(behind[limits[number]] if copy else line, digest_size=16)
            digest.update(text)
            keys.append(digest.digest())
            if not copy:
                line = keys[-1]
                behind[part[number + 1] - start] = line
            number += 1
    return np.frombuffer(b"".join(keys), np.uint64).reshape(-1, 2)
