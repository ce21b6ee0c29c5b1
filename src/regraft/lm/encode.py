"""From views to token blocks: one block holds one user's history once and many targets.

The plan (prompts/timeline.py) says where each target stands; this module turns it into tokens, positions
and the visibility of each token. History is plain causal. A target whose predecessors' verdicts were not
known is an isolated copy at the end of its prefix: it starts at the position the prefix ends at, sees the
prefix and itself, and nothing sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from regraft.data.regimes import Regime
from regraft.data.stream import Stream, ranges
from regraft.data.text import clean
from regraft.errors import ModelError
from regraft.lm.ragged import Ragged, stack
from regraft.lm.tokenize import Tokenizer, opening_ids, token_ids
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.facts import fact_table, rendered
from regraft.prompts.template import FACT, Piece, Slot, Template
from regraft.prompts.timeline import Layout, Shape, lay_out

ISOLATED_TOKENS = 512  # isolated copies per block, in tokens; more go to further blocks with the same prefix


@dataclass(frozen=True)
class Blocks:
    """Token blocks of one view. Token arrays share `tokens.start`; target arrays have one entry per example."""

    tokens: Ragged
    position: np.ndarray  # int32 per token
    limit: np.ndarray  # int32 per token: how many leading tokens of the block it sees (a main token: itself included)
    segment: np.ndarray  # int32 per token: 0 = history line, 1, 2, ... = isolated copies
    user: np.ndarray  # per block
    line: np.ndarray  # per block: blocks with the same number hold the same history line
    block: np.ndarray  # per example: its block
    read: np.ndarray  # per example: index in the block of the token whose state is read
    label: np.ndarray  # per example
    part: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))  # first token of every part, and the end:
    # a block is its head, events with their answers, then copies
    keys: np.ndarray | None = None  # [parts, 2] what each part is known by where states are kept (trunk.py)
    owner: np.ndarray | None = None  # [blocks, 2] whose history it is, hashed
    at_targets: bool = False  # adapters act at isolated copies alone (activation.py)

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def isolated(self) -> np.ndarray:
        """Per block: does it hold isolated copies?"""
        return np.maximum.reduceat(self.segment, self.tokens.start[:-1]) > 0 if len(self) else np.zeros(0, bool)

    @cached_property
    def examples(self) -> Ragged:
        """Per block: the numbers of its examples."""
        order = np.argsort(self.block, kind="stable")
        return Ragged(order, np.searchsorted(self.block[order], np.arange(len(self) + 1)))


@dataclass(frozen=True)
class Encoder:
    """Encodes views under one template, tokenizer, regime and block shape."""

    tokenizer: Tokenizer
    template: Template
    answers: Verbalizer
    regime: Regime = field(default_factory=Regime)
    shape: Shape = field(default_factory=Shape)
    refresh: str = "event"
    item_tokens: int = 24  # cap per field of an item
    longest: int | None = None  # positions the base model has
    apart: bool = False  # every target is an isolated copy, so that an adapter can act at targets alone
    _items: dict[tuple[bool, str], list[int]] = field(default_factory=dict, repr=False)

    def encode(self, view: Stream) -> Blocks:
        """All examples of the view, in the view's order; none is dropped."""
        p = lay_out(view, self.regime, self.shape)
        if self.apart:
            if self.template.kind != "timeline":
                raise ModelError(
                    f"template '{self.template.name}'",
                    "has no targets apart from their history, as adapter.adapt: targets wants them",
                    "a timeline template, or adapter.adapt: all or top(k)",
                )  # fmt: skip
            p = replace(p, in_line=np.zeros_like(p.in_line))
        blocks = self._timeline(view, p) if self.template.kind == "timeline" else self._single(view, p)
        longest = int(blocks.position.max()) + 1 if len(blocks.position) else 0
        if self.longest and longest > self.longest:
            raise ModelError(
                f"template '{self.template.name}'",
                f"a block reaches {longest} positions, the base model has {self.longest}",
                f"a smaller timeline than W = {self.shape.context}, H = {self.shape.targets}, or fewer item tokens",
                "Set timeline.context, timeline.targets or item_tokens",
            )
        return blocks

    def events(self, view: Stream, rows: np.ndarray) -> Ragged:
        """Tokens of the given rows as events about to be judged; the answer would follow directly."""
        table = fact_table(view, self.regime, self.refresh) if self.template.facts else None
        texts = rendered(table[rows], self.template.facts) if table is not None else None
        items = view.items.select(["item_id", *[f for f in self.template.fields if f in view.items.columns]])
        present, pattern = _presence(items, self.template.fields)
        pattern = pattern[view.item[rows]]
        out: list[Ragged] = []
        place = np.zeros(len(rows), dtype=np.int64)
        done = 0
        for number in np.unique(pattern):
            mine = np.flatnonzero(pattern == number)
            parts = []
            for piece in self.template.skeleton(present[number]):
                parts.append(self._column(piece, view, rows[mine], None if texts is None else texts[mine]))
            parts.append((Ragged.of([self.answers.shared]), np.zeros(len(mine), dtype=np.int64)))
            place[mine] = done + np.arange(len(mine))
            done += len(mine)
            out.append(_side_by_side(parts))
        return stack(out).take(place) if out else Ragged.of([])

    # -- inside --------------------------------------------------------------------------------

    def _column(
        self, piece: Piece, view: Stream, rows: np.ndarray, texts: pl.DataFrame | None
    ) -> tuple[Ragged, np.ndarray]:
        """One piece for many rows as (table of distinct sequences, index per row)."""
        if isinstance(piece, str):
            return Ragged.of([token_ids(self.tokenizer, piece)]), np.zeros(len(rows), dtype=np.int64)
        if piece.item == FACT and texts is not None:
            distinct, index = np.unique(texts[piece.field].to_numpy(), return_inverse=True)
            words = [token_ids(self.tokenizer, (" " if piece.space else "") + str(t)) for t in distinct]
            return Ragged.of(words), index
        used, index = np.unique(view.item[rows], return_inverse=True)
        values = view.items[piece.field].gather(used)
        return Ragged.of([self._item(piece, value) for value in values]), index

    def _item(self, piece: Slot, value: str) -> list[int]:
        key = (piece.space, value)
        if key not in self._items:
            text = (" " if piece.space else "") + clean(value)
            self._items[key] = token_ids(self.tokenizer, text)[: self.item_tokens]
        return self._items[key]

    def _timeline(self, view: Stream, p: Layout) -> Blocks:
        chunk = np.zeros(len(p.rows), dtype=np.int64)
        own = self.events(view, p.rows)
        loose = np.flatnonzero(~p.in_line)
        chunk[loose] = _chunks(p.user[loose], p.block[loose], own.lengths[loose], ISOLATED_TOKENS)
        # One block per (user, block number, chunk), examples inside it in stream order.
        key = np.stack([p.user, p.block, chunk])
        _, first, block = np.unique(key, axis=1, return_index=True, return_inverse=True)
        block = block.ravel()
        n_blocks = len(first)
        start = p.start[first]
        end = np.zeros(n_blocks, dtype=np.int64)  # events of the history line: [start, end)
        np.maximum.at(end, block, p.known + p.in_line)
        end = np.maximum(end, start)

        # Segments: head, then event and answer for every event of the line, then the isolated copies.
        n_line = end - start
        order = view.order
        line_rows = order.rows[ranges(order.start[p.user[first]] + start, n_line)]
        needed, line_index = np.unique(line_rows, return_inverse=True)
        line_events = self.events(view, needed)
        table = stack(
            [Ragged.of([opening_ids(self.tokenizer, self.template.head), *self.answers.spoken]), line_events, own]
        )
        isolated_order = loose[np.argsort(block[loose], kind="stable")]
        n_isolated = np.bincount(block[loose], minlength=n_blocks)
        sizes = 1 + 2 * n_line + n_isolated
        base = np.concatenate([[0], np.cumsum(sizes)])
        segments = np.zeros(base[-1], dtype=np.int64)
        at = np.repeat(base[:-1] + 1, n_line) + 2 * _count_up(n_line)
        segments[at] = 3 + line_index
        segments[at + 1] = 1 + view.label[line_rows]
        tail = np.repeat(base[:-1] + 1 + 2 * n_line, n_isolated) + _count_up(n_isolated)
        segments[tail] = 3 + len(needed) + isolated_order
        flat = table.take(segments)
        tokens = flat.grouped(sizes)

        # Where each example is read: the last token of its event segment.
        mine = np.zeros(len(p.rows), dtype=np.int64)
        inline = np.flatnonzero(p.in_line)
        mine[inline] = base[block[inline]] + 1 + 2 * (p.known[inline] - start[block[inline]])
        mine[isolated_order] = tail
        read = flat.start[mine + 1] - 1 - tokens.start[block]
        # A copy that knows p events starts where event p would stand: after segment 2 * (p - start) of its block.
        copy_block = block[isolated_order]
        after = base[copy_block] + 1 + 2 * (p.known[isolated_order] - start[copy_block])
        position, limit, segment = _visibility(flat, tokens, tail, after, copy_block)
        line = np.unique(np.stack([p.user[first], start, end]), axis=1, return_inverse=True)[1].ravel()
        part = np.append(flat.start[np.sort(np.concatenate([base[:-1], at, tail]))], len(flat.data))
        return Blocks(
            tokens, position, limit, segment, p.user[first], line, block, read, view.label[p.rows], part,
            at_targets=self.apart,
        )  # fmt: skip

    def _single(self, view: Stream, p: Layout) -> Blocks:
        """One prompt per example: the published layout, the last W known events in two lists."""
        facts = None
        if self.template.facts:
            facts = rendered(fact_table(view, self.regime, self.refresh)[p.rows], self.template.facts).to_dicts()
        fields = [f for f in self.template.fields if f in view.items.columns]
        texts = {f: view.items[f].to_list() for f in fields}
        sequences = []
        for i, row in enumerate(p.rows):
            first = view.order.start[p.user[i]]
            past = view.order.rows[first + max(0, p.known[i] - self.shape.context) : first + p.known[i]]
            codes = [*view.item[past], view.item[row]]
            named = [(n, [f for f in fields if texts[f][c]]) for n, c in enumerate(codes)]
            verdict = view.label[past]
            pieces = self.template.prompt(
                [named[n] for n in np.flatnonzero(verdict == 1)],
                [named[n] for n in np.flatnonzero(verdict == 0)],
                named[-1],
                facts[i] if facts else {},
            )
            first = next((p for p in pieces[:1] if isinstance(p, str)), "")
            ids = opening_ids(self.tokenizer, first)
            for piece in pieces[bool(first) :]:
                if isinstance(piece, str):
                    ids += token_ids(self.tokenizer, piece)
                else:
                    ids += self._item(piece, texts[piece.field][codes[piece.item]])
            sequences.append([*ids, *self.answers.shared])
        tokens = Ragged.of(sequences)
        position = _count_up(tokens.lengths).astype(np.int32)
        return Blocks(
            tokens=tokens,
            position=position,
            limit=position + 1,
            segment=np.zeros(len(position), dtype=np.int32),
            user=p.user,
            line=np.arange(len(p.rows)),
            block=np.arange(len(p.rows)),
            read=tokens.lengths - 1,
            label=view.label[p.rows],
            part=np.append(np.repeat(tokens.start[:-1], 2), tokens.start[-1]),  # no head, one text
        )


def _visibility(
    flat: Ragged, tokens: Ragged, copies: np.ndarray, after: np.ndarray, block: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(position, limit, segment) per token. Segment `copies[i]` of `flat` is a copy in `block[i]` that starts
    where segment `after[i]` starts."""
    position = _count_up(tokens.lengths).astype(np.int32)
    limit = position + 1
    segment = np.zeros(len(position), dtype=np.int32)
    if len(copies):
        anchor = flat.start[after] - tokens.start[block]
        lengths = flat.lengths[copies]
        where = ranges(flat.start[copies], lengths)
        position[where] = ranges(anchor, lengths)
        limit[where] = np.repeat(anchor, lengths)
        segment[where] = np.repeat(np.arange(1, len(copies) + 1), lengths)
    return position, limit.astype(np.int32), segment


def _presence(items: pl.DataFrame, fields: list[str]) -> tuple[list[list[str]], np.ndarray]:
    """(field lists that occur, which of them each item has)."""
    have = [f for f in fields if f in items.columns]
    bits = np.zeros(len(items), dtype=np.int64)
    for n, name in enumerate(have):
        bits |= (items[name].str.len_chars() > 0).to_numpy().astype(np.int64) << n
    patterns, index = np.unique(bits, return_inverse=True)
    return [[f for n, f in enumerate(have) if bits >> n & 1] for bits in patterns], index


def _side_by_side(parts: list[tuple[Ragged, np.ndarray]]) -> Ragged:
    """Row r is the concatenation of part k's sequence at its index[r], for all k."""
    rows, width = len(parts[0][1]), len(parts)
    tables = stack([table for table, _ in parts])
    offset = np.cumsum([0, *(len(table) for table, _ in parts)])[:-1]
    index = np.stack([i + o for (_, i), o in zip(parts, offset, strict=True)], axis=1).ravel()
    return tables.take(index).grouped(np.full(rows, width))


def _chunks(user: np.ndarray, block: np.ndarray, lengths: np.ndarray, budget: int) -> np.ndarray:
    """Chunk number of each isolated copy: tokens of earlier copies of the same block // budget."""
    order = np.lexsort((np.arange(len(user)), block, user))
    total = np.cumsum(lengths[order]) - lengths[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(user[order]) != 0) | (np.diff(block[order]) != 0)
    first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    chunk = np.zeros(len(order), dtype=np.int64)
    chunk[order] = (total - total[first]) // budget if len(order) else total
    return chunk


def _count_up(lengths: np.ndarray) -> np.ndarray:
    """0, 1, ... lengths[i] - 1 for every i, one after the other."""
    return ranges(np.zeros_like(lengths), lengths)
