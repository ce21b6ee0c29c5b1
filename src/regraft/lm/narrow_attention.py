"""Attention of a masked block in pieces: some tokens at a time, to those keys alone that any of them sees.

A block with isolated copies needs a mask, and under a mask the usual kernel pays for every pair of tokens. Most
pairs see nothing: a token of the history sees what came before it, a copy its own prefix and itself. Cut into
pieces, a long block costs a quarter of the pairs; the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "regraft_narrow"
QUERIES = 256  # tokens per piece
WORTH = 384  # tokens per row from which pieces cost less than the whole


@contextmanager
def narrow(decoder: nn.Module, visible: Tensor) -> Iterator[None]:
    """Inside, the decoder attends in pieces, where that is faster: [rows, tokens, tokens] `visible` as in its mask."""
    config: Any = decoder.config
    if config._attn_implementation != "sdpa" or visible.shape[1] < WORTH or visible.device.type != "cpu":
        yield
        return
    _open.append(_pieces(visible))
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = "sdpa"
        _open.pop()


_open: list[list[list[Any]]] = []


def _pieces(visible: Tensor) -> list[list[Any]]:
    """Per row and piece its keys: a slice where they lie side by side, else their numbers."""
    return [
        [_side_by_side(torch.nonzero(piece.any(0))[:, 0]) for piece in torch.split(row, QUERIES)] for row in visible
    ]


def _side_by_side(keys: Tensor) -> Any:
    start, end = int(keys[0]), int(keys[-1]) + 1
    return slice(start, end) if end - start == len(keys) else keys


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """The interface of transformers: [rows, heads, tokens, size] in, [rows, tokens, heads, size] out."""
    groups = query.shape[1] // key.shape[1]
    key, value = (t if groups == 1 else t.repeat_interleave(groups, dim=1) for t in (key, value))
    found = []
    # Taken apart row by row first: the gradient of a slice is as large as what it was cut from.
    for q, k, v, mask, row in zip(
        *(torch.split(tensor, 1) for tensor in (query, key, value, attention_mask)), _open[-1], strict=True
    ):
        for asked, sees, keys in zip(torch.split(q, QUERIES, 2), torch.split(mask, QUERIES, 2), row, strict=True):
            found.append(
                F.scaled_dot_product_attention(
                    asked, k[:, :, keys], v[:, :, keys], attn_mask=sees[..., keys], scale=scaling
                ).transpose(1, 2)
            )
    return torch.cat(found, dim=1).view(len(query), query.shape[2], *found[0].shape[2:]), None


ALL_ATTENTION_FUNCTIONS.register(NAME, _attention)
