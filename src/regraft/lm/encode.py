"""From a view, or from one request, to token blocks: one block holds one user's history once and many targets.

The layout (prompts/timeline.py) says where each target stands; this module turns it into tokens, positions
and the visibility of each token. History is plain causal. A target whose predecessors' verdicts were not
known is an isolated copy at the end of its prefix: it starts at the position the prefix ends at, sees the
prefix and itself, and nothing sees it. Views and requests differ in where events and layout come from, and in
nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from regraft.data.history import Events, Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.data.user_order import ranges
from regraft.errors import ModelError
from regraft.lm.event_tokens import EventTokens
from regraft.lm.ragged import Ragged, stack
from regraft.lm.tokenize import Tokenizer, opening_ids, token_ids
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.facts import fact_table, rendered, wanted
from regraft.prompts.template import Template
from regraft.prompts.timeline import Layout, Shape, lay_out, lay_out_request

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
    """Encodes views and requests under one template, tokenizer, regime and block shape."""

    tokenizer: Tokenizer
    template: Template
    answers: Verbalizer
    regime: Regime = field(default_factory=Regime)
    shape: Shape = field(default_factory=Shape)
    refresh: str = "event"
    item_tokens: int = 24  # cap per field of an item
    longest: int | None = None  # positions the base model has
    apart: bool = False  # every target is an isolated copy, so that an adapter can act at targets alone
    similarity: str = "tfidf"  # how item texts are compared, where the template shows content facts

    @property
    def compares(self) -> str:
        """The similarity behind the facts of the template; `none` where it shows no content fact."""
        return wanted(self.template.facts, self.similarity)

    def encode(self, view: Stream) -> Blocks:
        """All examples of the view, in the view's order; none is dropped."""
        return self._encode(self._events(view), lay_out(view, self.regime, self.shape))

    def encode_request(self, request: Request) -> Blocks:
        """All candidates of the request, in its order: the tokens that they have as examples of a view.

        The newest W + H events of the history are read; who made the request applied the regime.
        """
        request = request.last(self.shape.reach)
        events = request.events(self.template.facts, self.template.fields)
        return self._encode(events, lay_out_request(request, self.shape))

    def events(self, view: Stream, rows: np.ndarray) -> Ragged:
        """Tokens of the given rows as events about to be judged; the answer would follow directly."""
        return self._tokens.of(self._events(view), rows)

    # -- inside --------------------------------------------------------------------------------

    @cached_property
    def _tokens(self) -> EventTokens:
        return EventTokens(self.tokenizer, self.template, self.answers, self.item_tokens)

    def _events(self, view: Stream) -> Events:
        facts = None
        if self.template.facts:
            facts = fact_table(view, self.regime, self.refresh, similarity=self.compares)
        return Events(view.items, view.item, view.label, facts)

    def _encode(self, events: Events, p: Layout) -> Blocks:
        if self.apart:
            if self.template.kind != "timeline":
                raise ModelError(
                    "template '{template}'",
                    "has no targets apart from their history, as adapter.adapt: targets wants them",
                    "a timeline template, or adapter.adapt: all or top(k)", template=self.template.name,
                )  # fmt: skip
            p = replace(p, in_line=np.zeros_like(p.in_line))
        blocks = self._timeline(events, p) if self.template.kind == "timeline" else self._single(events, p)
        longest = int(blocks.position.max()) + 1 if len(blocks.position) else 0
        if self.longest and longest > self.longest:
            raise ModelError(
                "template '{template}'", "a block reaches {longest} positions, the base model has {most}",
                "a smaller timeline than W = {context}, H = {targets}, or fewer item tokens",
                "Set timeline.context, timeline.targets or item_tokens",
                template=self.template.name, longest=longest, most=self.longest, context=self.shape.context,
                targets=self.shape.targets,
            )  # fmt: skip
        return blocks

    def _timeline(self, events: Events, p: Layout) -> Blocks:
        chunk = np.zeros(len(p.rows), dtype=np.int64)
        own = self._tokens.of(events, p.rows)
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
        line_rows = p.events[ranges(p.first[first] + start, n_line)]
        needed, line_index = np.unique(line_rows, return_inverse=True)
        line_events = self._tokens.of(events, needed)
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
        segments[at + 1] = 1 + events.label[line_rows]
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
            tokens, position, limit, segment, p.user[first], line, block, read, events.label[p.rows], part,
            at_targets=self.apart,
        )  # fmt: skip

    def _single(self, events: Events, p: Layout) -> Blocks:
        """One prompt per example: the published layout, the last W known events in two lists."""
        facts = None
        if self.template.facts and events.facts is not None:
            facts = rendered(events.facts[p.rows], self.template.facts).to_dicts()
        fields = [f for f in self.template.fields if f in events.items.columns]
        texts = {f: events.items[f].to_list() for f in fields}
        # Without facts there are few different pieces of fixed text.
        text = self._tokens.text if facts is None else partial(token_ids, self.tokenizer)
        sequences = []
        for i, row in enumerate(p.rows):
            past = p.events[p.first[i] + max(0, p.known[i] - self.shape.context) : p.first[i] + p.known[i]]
            codes = [*events.item[past], events.item[row]]
            named = [(n, [f for f in fields if texts[f][c]]) for n, c in enumerate(codes)]
            verdict = events.label[past]
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
                    ids += text(piece)
                else:
                    ids += self._tokens.item(piece, texts[piece.field][codes[piece.item]])
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
            label=events.label[p.rows],
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
