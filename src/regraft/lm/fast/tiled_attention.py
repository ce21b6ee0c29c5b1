"""Attention in bf16 on a CPU in tiles: some queries at a time, to those keys alone that any of them sees.

PyTorch's kernel multiplies small blocks in turn; in bf16 its gradient takes two to five times as long as batched
matrix products (docs/log.md). Under a mask it also pays for every pair of tokens, and most pairs see nothing: a token
of the history sees what came before it, a copy its own prefix and itself. Here a tile is one batched product
that stays in the cache. What its gradient needs is kept while that is little, else worked out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from regraft.lm.fast.attention_switch import attending, own_attention
from regraft.lm.fast.side_by_side import side_by_side

QUERIES = 128  # tokens per tile
PAIRS = 1 << 16  # pairs of tokens per tile where rows are short, of all its rows together
KEPT = 8  # times as many numbers as the query has are kept for the gradient, not more

FASTER = {torch.bfloat16}  # in fp32 the kernel is as fast

Keys = slice | Tensor


@dataclass(frozen=True)
class Tile:
    """Queries of some rows, and the keys that any of them sees."""

    rows: slice
    queries: slice
    keys: Keys
    clear: int  # so many keys at the beginning are seen by all queries

    def pairs(self, keys: int) -> int:
        """Queries times keys, of which there are `keys` in all."""
        seen = len(range(*self.keys.indices(keys))) if isinstance(self.keys, slice) else len(self.keys)
        return (self.rows.stop - self.rows.start) * (self.queries.stop - self.queries.start) * seen


@contextmanager
def tiled(decoder: nn.Module, visible: Tensor | None) -> Iterator[None]:
    """Inside, the decoder attends in tiles where they are faster, else in its own way.

    `visible` [rows, tokens, tokens] is what its mask says; None: plain causal text.
    """
    how = None
    if own_attention(decoder) == "sdpa" and faster(next(decoder.parameters())):
        # A layer with a window sees less than the tiles say.
        exact = not getattr(decoder.config, "sliding_window", None)
        how = partial(_attention, tiles=None if visible is None else _masked(visible, exact))
    with attending(decoder, how):
        yield


def faster(states: Tensor) -> bool:
    """Are tiles faster than PyTorch's kernel for states like these?"""
    return states.device.type == "cpu" and states.dtype in FASTER


def _rows(rows: int, tokens: int, keys: int) -> Iterator[slice]:
    """Rows that share a tile."""
    together = max(1, PAIRS // max(1, min(tokens, QUERIES) * keys))
    return (slice(first, min(first + together, rows)) for first in range(0, rows, together))


def _queries(tokens: int) -> Iterator[slice]:
    return (slice(first, min(first + QUERIES, tokens)) for first in range(0, tokens, QUERIES))


def _masked(visible: Tensor, exact: bool = True) -> list[Tile]:
    rows, tokens, keys = visible.shape
    found = []
    for some in _rows(rows, tokens, keys):
        for queries in _queries(tokens):
            sees = visible[some, queries].flatten(0, 1)
            seen = torch.nonzero(sees.any(0))[:, 0]
            clear = int(sees.all(0)[seen].long().cumprod(0).sum()) if exact else 0
            found.append(Tile(some, queries, _slice(seen), clear))
    return found


def _causal(rows: int, tokens: int, before: int) -> list[Tile]:
    """Tiles of plain text of which `before` tokens were read earlier."""
    return [
        Tile(some, queries, slice(0, before + queries.stop), before + queries.start)
        for some in _rows(rows, tokens, before + tokens)
        for queries in _queries(tokens)
    ]


def _slice(keys: Tensor) -> Keys:
    start, end = int(keys[0]), int(keys[-1]) + 1
    return slice(start, end) if end - start == len(keys) else keys


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    scaling: float | None = None, *, tiles: list[Tile] | None, **others: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """The interface of transformers: [rows, heads, tokens, size] in, [rows, tokens, heads, size] out.

    Without `tiles` the text is plain.
    """
    if strange := [name for name in ("s_aux", "position_bias", "softcap") if others.get(name) is not None]:
        raise ValueError(f"attention with {strange[0]} cannot be cut into tiles")
    rows, tokens, keys = len(query), query.shape[2], key.shape[2]
    if tiles is None:
        tiles = _causal(rows, tokens, keys - tokens)
        if attention_mask is not None:  # of a window
            tiles = [replace(tile, clear=0) for tile in tiles]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    mask = attention_mask
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=query.dtype).masked_fill_(~mask, torch.finfo(query.dtype).min)
    found: Tensor = _Tiled.apply(query * scale, key, value, mask, tiles)  # type: ignore[no-untyped-call]
    return found, None


def attention_behind(
    query: Tensor, key: Tensor, value: Tensor, line: tuple[Tensor, Tensor], mask: Tensor, seen: bool, scale: float
) -> Tensor:
    """Rows [rows, heads, tokens, size] behind one history [1, shared, keys, size], of which they see all where `seen`.

    `mask` is additive, over the keys of the history and then the row's own. [rows, tokens, heads, size]
    """
    rows, tokens, before = len(query), query.shape[2], line[0].shape[2]
    keys, values = (torch.cat([a.expand(rows, -1, -1, -1), b], 2) for a, b in zip(line, (key, value), strict=True))
    tiles = [
        Tile(some, queries, slice(0, before + tokens), before if seen else 0)
        for some in _rows(rows, tokens, before + tokens)
        for queries in _queries(tokens)
    ]
    found: Tensor = _Tiled.apply(query * scale, keys, values, mask, tiles)  # type: ignore[no-untyped-call]
    return found


class _Tiled(torch.autograd.Function):
    """Arguments as above; the query is scaled."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, tiles: list[Tile]
    ) -> Tensor:  # fmt: skip
        rows, heads, tokens, _ = query.shape
        found = query.new_empty(rows, tokens, heads, value.shape[-1])
        learns = any(ctx.needs_input_grad)
        keep = learns and sum(tile.pairs(key.shape[2]) for tile in tiles) * heads <= KEPT * query.numel()
        kept: list[Tensor | None] = [None] * len(tiles) if keep else []

        def work(number: int) -> None:
            tile = tiles[number]
            shape = _Shape.of(query, key, tile)
            share = _shares(shape.queries(query, tile), shape.keys(key, tile), mask, tile, shape)
            shape.scatter(found.transpose(1, 2), tile, torch.bmm(share, shape.keys(value, tile)))
            if keep:
                kept[number] = share

        _by_rows(tiles, work, query.device)
        ctx.save_for_backward(query, key, value, *kept)
        ctx.rest = mask, tiles
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, *kept = ctx.saved_tensors
        mask, tiles = ctx.rest
        grad = grads[0].transpose(1, 2)
        to_query, to_key, to_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)

        def work(number: int) -> None:
            tile = tiles[number]
            shape = _Shape.of(query, key, tile)
            q, k, g = shape.queries(query, tile), shape.keys(key, tile), shape.queries(grad, tile)
            share = kept[number] if kept else _shares(q, k, mask, tile, shape)
            _add(to_value, tile, torch.bmm(share.transpose(1, 2), g))
            to_share = torch.bmm(g, shape.keys(value, tile).transpose(1, 2))
            to_score = torch._softmax_backward_data(to_share, share, -1, share.dtype)
            shape.scatter(to_query, tile, torch.bmm(to_score, k))
            _add(to_key, tile, torch.bmm(to_score.transpose(1, 2), q))

        _by_rows(tiles, work, query.device)
        return to_query, to_key, to_value, None, None


@dataclass(frozen=True)
class _Shape:
    """Heads that ask the same keys are one long row of queries: keys and values are never repeated."""

    rows: int
    shared: int  # heads of keys and values
    groups: int  # heads that ask one of them
    tokens: int

    @classmethod
    def of(cls, query: Tensor, key: Tensor, tile: Tile) -> _Shape:
        return cls(
            tile.rows.stop - tile.rows.start, key.shape[1], query.shape[1] // key.shape[1],
            tile.queries.stop - tile.queries.start,
        )  # fmt: skip

    def queries(self, states: Tensor, tile: Tile) -> Tensor:
        """[rows x shared, groups x tokens, size]"""
        part = states[tile.rows, :, tile.queries]
        return part.reshape(self.rows * self.shared, self.groups * self.tokens, states.shape[-1])

    def keys(self, states: Tensor, tile: Tile) -> Tensor:
        """[rows x shared, keys, size]"""
        return states[tile.rows, :, tile.keys].flatten(0, 1)

    def scatter(self, states: Tensor, tile: Tile, part: Tensor) -> None:
        states[tile.rows, :, tile.queries] = part.view(self.rows, self.shared * self.groups, self.tokens, -1)


def _shares(q: Tensor, k: Tensor, mask: Tensor | None, tile: Tile, shape: _Shape) -> Tensor:
    """What every query takes of every key, [rows x shared, groups x tokens, keys]."""
    scores = torch.bmm(q, k.transpose(1, 2))
    by_head = scores.view(shape.rows, shape.shared * shape.groups, shape.tokens, -1)[..., tile.clear :]
    if mask is None:
        by_head += _later(shape.tokens, scores.dtype)
    elif by_head.shape[-1]:
        by_head += mask[tile.rows if len(mask) > 1 else slice(None), :, tile.queries, tile.keys][..., tile.clear :]
    return torch.softmax(scores, dim=-1)


def _add(total: Tensor, tile: Tile, part: Tensor) -> None:
    part = part.view(-1, total.shape[1], *part.shape[1:])
    if isinstance(tile.keys, slice):
        total[tile.rows, :, tile.keys] += part
    else:
        total[tile.rows].index_add_(2, tile.keys, part)


@cache
def _later(tokens: int, dtype: torch.dtype) -> Tensor:
    """[tokens, tokens] to be added to scores: no token sees a later one."""
    return torch.full((tokens, tokens), torch.finfo(dtype).min, dtype=dtype).triu_(1)


def _by_rows(tiles: list[Tile], work: Callable[[int], None], device: torch.device) -> None:
    """Does the work of all tiles, rows side by side: one product of this size does not fill two cores."""
    lines: dict[int, list[int]] = {}
    for number, tile in enumerate(tiles):
        lines.setdefault(tile.rows.start, []).append(number)

    def line(some: list[int]) -> None:
        for number in some:
            work(number)

    if len(lines) == 1:
        line(next(iter(lines.values())))
        return
    for _ in side_by_side(line, lines.values(), device):
        pass
