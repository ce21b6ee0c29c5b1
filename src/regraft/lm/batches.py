"""Blocks to padded tensors without padding waste: blocks of like length go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regraft.data.user_order import ranges
from regraft.lm.encode import Blocks
from regraft.lm.fast.side_by_side import lanes

STEP = 16  # block lengths are rounded up to this when they are grouped


@dataclass(frozen=True)
class Parts:
    """The parts of a batch's blocks, where states are kept: token `place` of the batch, rows one after the other."""

    key: np.ndarray  # [parts, 2]
    owner: np.ndarray  # [parts, 2], zeros for heads
    place: np.ndarray
    length: np.ndarray


@dataclass(frozen=True)
class TokenBatch:
    """One padded forward. `visible` and `position` are None where plain causal attention is right."""

    ids: Tensor  # [rows, tokens]
    visible: Tensor | None
    position: Tensor | None
    inside: Tensor  # [rows, tokens] bool: real tokens
    row: Tensor  # per example in the batch: its row
    read: Tensor  # per example: its token
    examples: np.ndarray  # numbers of these examples in the view
    tokens: int  # real tokens, without padding
    parts: Parts | None = None
    states: Tensor | None = None  # [rows, tokens, width] that enter the top, where they are kept (trunk.py)
    found: np.ndarray | None = None  # per part: were its states kept?
    active: Tensor | None = None  # [rows, tokens] bool: where adapters act; None: everywhere


def batches(
    blocks: Blocks, chosen: np.ndarray, max_tokens: int, device: torch.device, left: bool = False
) -> Iterator[TokenBatch]:
    """The chosen blocks, longest first, at most `max_tokens` padded tokens at a time (one block per lane at least)."""
    for group in grouped(blocks, chosen, max_tokens, lanes(device)):
        yield _batch(blocks, group, device, left)


def grouped(blocks: Blocks, chosen: np.ndarray, max_tokens: int, width: int = 1) -> Iterator[np.ndarray]:
    """Numbers of blocks that go into one batch, so that `width` batches together take `max_tokens`, or all.

    Blocks with isolated copies are kept apart, they need a mask.
    """
    lengths = blocks.tokens.lengths
    max_tokens = min(max_tokens, int(lengths[chosen].sum())) // width if width > 1 else max_tokens
    for kind in (False, True):
        kin = chosen[blocks.isolated[chosen] == kind]
        kin = kin[np.argsort(-lengths[kin], kind="stable")]
        first = 0
        while first < len(kin):
            rows = max(1, max_tokens // (-(-int(lengths[kin[first]]) // STEP) * STEP))
            yield kin[first : first + rows]
            first += rows


def _batch(blocks: Blocks, group: np.ndarray, device: torch.device, left: bool) -> TokenBatch:
    lengths = blocks.tokens.lengths[group]
    width = int(lengths.max())
    shape = (len(group), width)
    inside = np.arange(width)[None, :] < lengths[:, None]
    shift = np.zeros(len(group), dtype=np.int64)
    if left:
        inside, shift = inside[:, ::-1], width - lengths
    source = ranges(blocks.tokens.start[group], lengths)

    def padded(values: np.ndarray) -> Tensor:
        out = np.zeros(shape, dtype=np.int64)
        out[inside] = values[source]
        return torch.from_numpy(out).to(device)

    held = blocks.examples.take(group)
    examples = held.data
    row = np.repeat(np.arange(len(group)), held.lengths)
    visible = position = None
    if left or bool(blocks.isolated[group].any()):
        position = padded(blocks.position)
        visible = _visible(
            padded(blocks.limit), padded(blocks.segment), torch.from_numpy(inside.copy()).to(device), shift
        )
    return TokenBatch(
        ids=padded(blocks.tokens.data),
        inside=torch.from_numpy(inside.copy()).to(device),
        visible=visible,
        position=position,
        row=torch.from_numpy(row).to(device),
        read=torch.from_numpy(blocks.read[examples] + shift[row]).to(device),
        examples=examples,
        tokens=int(lengths.sum()),
        parts=None if blocks.keys is None else _parts(blocks, group, width, shift),
        active=padded(blocks.segment) > 0 if blocks.at_targets else None,
    )


def _parts(blocks: Blocks, group: np.ndarray, width: int, shift: np.ndarray) -> Parts:
    assert blocks.keys is not None and blocks.owner is not None
    first, end = (np.searchsorted(blocks.part[:-1], blocks.tokens.start[group + n]) for n in (0, 1))
    number = ranges(first, end - first)
    row = np.repeat(np.arange(len(group)), end - first)
    place = row * width + shift[row] + blocks.part[number] - blocks.tokens.start[group][row]
    owner = blocks.owner[group][row]
    owner[np.cumsum(end - first) - (end - first)] = 0
    return Parts(blocks.keys[number], owner, place, np.diff(blocks.part)[number])


def _visible(limit: Tensor, segment: Tensor, inside: Tensor, shift: np.ndarray) -> Tensor:
    """[rows, queries, keys]: the known history line, and the query's own copy up to itself."""
    width = limit.shape[1]
    place = torch.arange(width, device=limit.device)
    key = place[None, :] - torch.from_numpy(shift).to(limit.device)[:, None]  # place in the block, not in the row
    line = (segment[:, None, :] == 0) & (key[:, None, :] < limit[:, :, None])
    own = (
        (segment[:, None, :] == segment[:, :, None])
        & (segment[:, None, :] > 0)
        & (place[None, :] <= place[:, None])[None]
    )
    seen = (line | own) & inside[:, None, :]
    # A padded query looks at itself, so that no row of the softmax is empty.
    return seen | (torch.eye(width, dtype=torch.bool, device=limit.device)[None] & ~inside[:, :, None])
