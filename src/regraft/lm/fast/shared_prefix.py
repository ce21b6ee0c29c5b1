"""Many copies behind one history: the history is read once, its keys and values serve all copies.

A block with isolated copies can be read in one masked pass; that pays attention for every pair of tokens. Where
the copies are many (a hundred candidates of one request), it is cheaper to read the history as plain causal text,
keep its keys and values, and read the copies in short rows behind them (prefix_attention.py). The scores are the
same.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from regraft.data.user_order import ranges
from regraft.lm.activation import activated_at
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks
from regraft.lm.fast.last_layer import by_token, read_alone
from regraft.lm.fast.prefix_attention import Kept, behind, cache_word
from regraft.lm.fast.side_by_side import lanes, side_by_side
from regraft.lm.fast.warm_prefix import WarmPrefixes

ROW_TOKENS = 48  # tokens of copies per row: longer rows pay attention to each other, shorter ones padding
WORTH = 192  # tokens of copies from which a second pass costs less than the masked one


@dataclass(frozen=True)
class PrefixGroup:
    """One history line and the copies that stand behind it, packed into rows; -1 marks padding."""

    line: np.ndarray  # tokens of the history
    source: np.ndarray  # [rows, tokens] index of the copies' tokens in the blocks' token arrays
    copy: np.ndarray  # [rows, tokens] number of the copy that a token belongs to, from 1
    row: np.ndarray  # per example: its row; -1: it is read in the history line itself
    place: np.ndarray  # per example: its token in the row or line
    examples: np.ndarray  # numbers of the examples in the view
    who: int  # the user's number in the stream

    def alone(self, blocks: Blocks) -> bool:
        """Is there one copy, behind the whole history? Then it reads on where the history ends."""
        return self.copy.max() == 1 and bool((blocks.limit[self.source[self.source >= 0]] == len(self.line)).all())


def prefix_groups(blocks: Blocks, base: BaseModel, worth: int | None = None) -> tuple[list[PrefixGroup], np.ndarray]:
    """Blocks worth two passes, those with the same history together; and the numbers of all other blocks.

    `worth` is the number of tokens in copies from which a second pass is.
    """
    numbers = np.arange(len(blocks))
    if not len(blocks):
        return [], numbers
    copied = np.add.reduceat((blocks.segment > 0).astype(np.int64), blocks.tokens.start[:-1])
    served = np.bincount(blocks.line, weights=copied)[blocks.line] >= (WORTH if worth is None else worth)
    served &= blocks.tokens.lengths > copied  # without a head, a stranger has no history to be read first
    if not served.any() or not keeps(base):
        return [], numbers
    with_copies = np.flatnonzero(served & (copied > 0))
    lines = np.unique(blocks.line[with_copies])
    found = [_group(blocks, with_copies[blocks.line[with_copies] == line], copied) for line in lines]
    return found, np.setdiff1d(numbers, with_copies)


def tokens_read(blocks: Blocks, base: BaseModel) -> int:
    """Tokens that scoring the blocks reads: a shared history counts once."""
    shared, others = prefix_groups(blocks, base)
    return int(blocks.tokens.lengths[others].sum()) + sum(len(r.line) + int((r.source >= 0).sum()) for r in shared)


def states_of(base: BaseModel, blocks: Blocks, shared: PrefixGroup, warm: WarmPrefixes | None = None) -> Tensor:
    """[examples, width]: the state that each example of the shared is read from.

    With `warm`, what an earlier request read of the same user's history is not read again.
    """
    if warm is None:
        line = torch.from_numpy(shared.line.astype(np.int64)).to(base.device)[None]
        with activated_at(torch.zeros_like(line) if blocks.at_targets else None):
            in_line, kept = _read_line(base, line)
        return _read_copies(base, blocks, shared, in_line, kept)
    if shared.alone(blocks):
        return _read_on(base, blocks, shared, warm)
    with warm.read(shared.who, shared.line, at_targets=blocks.at_targets) as (in_line, kept):
        return _read_copies(base, blocks, shared, in_line, kept)


def keeps(base: BaseModel) -> bool:
    """Does this model give the same states behind kept keys and values as in plain text? Tried once per model."""
    if base.keeps_prefix is None:
        base.keeps_prefix = _try(base)
    return base.keeps_prefix


# -- inside ------------------------------------------------------------------------------------


def _line(blocks: Blocks, number: int, copied: np.ndarray) -> np.ndarray:
    """Tokens of the block's history: copies stand at its end."""
    tokens = blocks.tokens[number]
    return tokens[: len(tokens) - copied[number]]


def _group(blocks: Blocks, group: np.ndarray, copied: np.ndarray) -> PrefixGroup:
    examples = blocks.examples.take(group).data
    tokens = ranges(blocks.tokens.start[group + 1] - copied[group], copied[group])
    chunk = np.repeat(np.arange(len(group)), copied[group])
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(blocks.segment[tokens]) != 0) | (np.diff(chunk) != 0)]))
    lengths = np.diff(np.concatenate([starts, [len(tokens)]]))
    row = _row_per_copy(lengths, max(1, round(len(tokens) / ROW_TOKENS)))
    token_row = np.repeat(row, lengths)
    counts = np.bincount(token_row)
    place = np.empty(len(tokens), dtype=np.int64)
    place[np.argsort(token_row, kind="stable")] = ranges(np.zeros_like(counts), counts)
    source = np.full((len(counts), int(counts.max())), -1, dtype=np.int64)
    source[token_row, place] = tokens
    copy = np.zeros(source.shape, dtype=np.int64)
    copy[token_row, place] = 1 + np.repeat(np.arange(len(lengths)), lengths)
    read = blocks.tokens.start[blocks.block[examples]] + blocks.read[examples]
    where = np.minimum(np.searchsorted(tokens, read), len(tokens) - 1)
    own = tokens[where] == read
    row_read = np.where(own, token_row[where], -1)
    place_read = np.where(own, place[where], blocks.read[examples])
    return PrefixGroup(
        _line(blocks, group[0], copied), source, copy, row_read, place_read, examples, int(blocks.user[group[0]])
    )


def _row_per_copy(lengths: np.ndarray, rows: int) -> np.ndarray:
    """Row per copy: the longest first, each into the row that is shortest so far."""
    filled = np.zeros(rows, dtype=np.int64)
    row = np.zeros(len(lengths), dtype=np.int64)
    for copy in np.argsort(-lengths, kind="stable"):
        row[copy] = filled.argmin()
        filled[row[copy]] += lengths[copy]
    return np.unique(row, return_inverse=True)[1]


def _read_on(base: BaseModel, blocks: Blocks, shared: PrefixGroup, warm: WarmPrefixes) -> Tensor:
    """One copy in one pass with what is new of its history."""
    copy = blocks.tokens.data[shared.source[0]]
    place = np.where(shared.row < 0, shared.place, len(shared.line) + shared.place)
    with warm.read(shared.who, shared.line, copy, blocks.at_targets) as (states, _):
        return states[torch.from_numpy(place).to(base.device)]


def _read_line(base: BaseModel, line: Tensor) -> tuple[Tensor, Kept]:
    """(states [tokens, width], keys and values) of one history."""
    kept = Kept()  # without a config it keeps everything, windows are left to the mask
    return kept.extend(base.model.base_model, line), kept


def _read_copies(base: BaseModel, blocks: Blocks, shared: PrefixGroup, in_line: Tensor, kept: Kept) -> Tensor:
    """[examples, width], from the states of the history and from rows of copies behind it."""
    device, before_it = base.device, len(shared.line)
    width = shared.source.shape[1]
    real = shared.source >= 0
    at = np.maximum(shared.source, 0)

    def placed(values: np.ndarray, padding: int = 0) -> Tensor:
        return torch.from_numpy(np.where(real, values[at], padding).astype(np.int64)).to(device)

    limit = placed(blocks.limit, before_it)
    copy = torch.from_numpy(shared.copy).to(device)
    keys = torch.arange(before_it, device=device)
    place = torch.arange(width, device=device)
    before = keys[None, None, :] < limit[:, :, None]
    # Padding (copy 0) looks at itself, so that no row of the softmax is empty.
    own = (copy[:, None, :] == copy[:, :, None]) & (place[None, :] <= place[:, None])[None]
    row, at_token = torch.from_numpy(shared.row).to(device), torch.from_numpy(shared.place).to(device)
    ids, position = placed(blocks.tokens.data), placed(blocks.position)

    def read(rows: slice) -> Tensor:
        here = (row >= rows.start) & (row < rows.stop)
        with read_alone(base, row[here] - rows.start, at_token[here], width):
            return _read_behind(base, kept, ids[rows], before[rows], own[rows], position[rows])

    by_token(base)  # tried before attention looks behind a history
    with behind(base.model.base_model, kept, seen=base.window is None and bool(before.all())):
        states = torch.cat(list(side_by_side(read, _shares(len(ids), lanes(device)), device)))
    return torch.where(
        (row < 0)[:, None], in_line[at_token.clamp(max=len(in_line) - 1)], states[row, at_token.clamp(max=width - 1)]
    )


def _read_behind(base: BaseModel, kept: Kept, ids: Tensor, before: Tensor, own: Tensor, position: Tensor) -> Tensor:
    """[rows, tokens, width], inside `behind`.

    `before` says which tokens of the history each token sees, `own` which of its row.
    """
    decoder = base.model.base_model
    line = torch.arange(before.shape[2], device=ids.device).expand(len(ids), -1)
    mask = base.mask(torch.cat([before, own], dim=2), position, torch.cat([line, position], dim=1))
    word = {cache_word(decoder): kept}
    states: Tensor = decoder(input_ids=ids, attention_mask=mask, position_ids=position, use_cache=True, **word)[0]
    return states


def _shares(rows: int, number: int) -> list[slice]:
    """At most `number` slices, as even as can be."""
    ends = np.unique(np.linspace(0, rows, number + 1).astype(int))
    return [slice(int(first), int(end)) for first, end in pairwise(ends)]


def _try(base: BaseModel) -> bool:
    """Two copies in two rows and one row behind one line, against plain prompts."""
    n, own = min(base.window or 8, 128) + 8, 3
    ids = torch.arange(n + 2 * own, device=base.device) % base.config.vocab_size
    line, copies = ids[:n], ids[n:].view(2, own)
    place = torch.arange(own, device=base.device)
    causal = (place[None] <= place[:, None]).expand(2, -1, -1)
    position = (n + place).expand(2, -1)
    try:
        with torch.no_grad():
            _, cache = _read_line(base, line[None])
            sees = torch.ones(2, own, n, dtype=torch.bool, device=base.device)
            with behind(base.model.base_model, cache, seen=base.window is None):
                kept = _read_behind(base, cache, copies, sees, causal, position)[:, -1].float()
            plain = torch.cat([base.hidden(torch.cat([line, c])[None])[:, -1] for c in copies]).float()
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        return False
    error = (kept - plain).abs().max() / plain.abs().max()
    return bool(error <= (1e-3 if base.dtype == torch.float32 else 0.1))
