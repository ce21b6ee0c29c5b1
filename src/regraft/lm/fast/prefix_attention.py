"""Attention of many copies to one history whose keys and values lie there once.

A copy looks at the history and at itself. Both are attended to apart and added in proportion to the sums of their
exponentials (Hydragen, arXiv 2402.05099): the same numbers, and no row needs a copy of the history of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from regraft.lm.fast.attention_switch import attending
from regraft.lm.fast.tiled_attention import attention_behind, faster, tiled


class Kept(DynamicCache):  # type: ignore[misc]  # transformers has no types for it
    """Keys and values of one history; while copies are read, their own are handed through and kept nowhere."""

    read = False  # the history is complete

    def extend(self, decoder: Any, ids: Tensor) -> Tensor:
        """Reads more of the history [1, tokens] behind what is kept of it; its states [tokens, width]."""
        with tiled(decoder, None):
            states: Tensor = decoder(input_ids=ids, use_cache=True, **{cache_word(decoder): self})[0]
        return states[0]

    def shorten(self, tokens: int) -> None:
        """Keeps the first `tokens` alone."""
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[:, :, :tokens], layer.values[:, :, :tokens]

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any) -> Any:
        if self.read:
            return key_states, value_states
        return super().update(key_states, value_states, layer_idx, *args, **kwargs)


def cache_word(decoder: Any) -> str:
    """What the decoder calls its keys and values: releases of transformers differ."""
    names = inspect.signature(type(decoder).forward).parameters
    return "cache" if "cache" in names and "past_key_values" not in names else "past_key_values"


@contextmanager
def behind(decoder: nn.Module, kept: Kept, seen: bool) -> Iterator[None]:
    """Inside, in this thread and its lanes, the decoder reads rows of copies behind the history that is kept.

    `seen` says that every copy sees all of it in every layer.
    """
    kept.read = True
    with attending(decoder, partial(_attention, kept=kept, seen=seen)):
        yield


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float | None = None,
    *, kept: Kept, seen: bool, **others: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """The interface of transformers: [rows, heads, tokens, size] in, [rows, tokens, heads, size] out.

    `attention_mask` is additive, over the history's keys and then the row's own.
    """
    if strange := [name for name in ("s_aux", "position_bias") if others.get(name) is not None]:
        raise ValueError(f"attention with {strange[0]} cannot be taken apart")
    cap = others.get("softcap")
    rows, heads, tokens, size = query.shape
    layer: Any = kept.layers[module.layer_idx]
    n, groups = layer.keys.shape[2], heads // key.shape[1]
    if faster(query) and cap is None:
        scale = size**-0.5 if scaling is None else scaling
        return attention_behind(
            query, key, value, (layer.keys, layer.values), attention_mask, seen, scale
        ), None  # fmt: skip
    # All rows ask the same keys, so they are one long row here.
    asked = query.transpose(0, 1).reshape(1, heads, rows * tokens, size)
    mask = None if seen else attention_mask[..., :n].reshape(1, 1, rows * tokens, n)
    found, mass = _part(asked, _all_heads(layer.keys, groups), _all_heads(layer.values, groups), mask, scaling, cap)
    before = found.view(heads, rows, tokens, size).transpose(0, 1)
    before_mass = mass.view(heads, rows, tokens).transpose(0, 1)
    own, own_mass = _part(
        query, _all_heads(key, groups), _all_heads(value, groups), attention_mask[..., n:], scaling, cap
    )  # fmt: skip
    share = torch.sigmoid(before_mass - own_mass)[..., None].to(own.dtype)
    return torch.lerp(own, before, share).transpose(1, 2).contiguous(), None


def _part(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None, cap: float | None
) -> tuple[Tensor, Tensor]:
    """Attention to these keys alone [rows, heads, tokens, size], and the logarithm of its normaliser."""
    if query.device.type == "cpu" and cap is None and not query.requires_grad:
        found: tuple[Tensor, Tensor] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, False, attn_mask=mask, scale=scale
        )
        return found
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scale is None else scale)
    scores = (scores if cap is None else cap * torch.tanh(scores / cap)).float()
    scores = scores if mask is None else scores + mask
    mass = torch.logsumexp(scores, dim=-1)
    return torch.exp(scores - mass[..., None]).to(value.dtype) @ value, mass


def _all_heads(states: Tensor, groups: int) -> Tensor:
    return states if groups == 1 else states.repeat_interleave(groups, dim=1)
