"""What a model reads, as text: one example of a view, piece by piece, before any tokenizer.

A timeline template reads: head, every event of the prefix followed by the answer it got, the event to be
judged. A single template reads one prompt with the last W known events in two lists. The plan
(prompts/timeline.py), the facts and the pieces are those that are tokenised; only the token cap of an
item field is not applied here, because characters are not tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.data.text import clean
from regraft.errors import DataError
from regraft.prompts.facts import fact_table, rendered, wanted
from regraft.prompts.pieces import FACT, Piece
from regraft.prompts.template import Template
from regraft.prompts.timeline import Layout, Shape, lay_out

Source = Literal["template", "item", "fact", "answer"]


@dataclass(frozen=True)
class Part:
    """A stretch of a prompt and where it comes from; `row` is the stream row it belongs to, -1 for none."""

    text: str
    source: Source = "template"
    row: int = -1


@dataclass(frozen=True)
class Preview:
    """One example: `text` is all the model reads, `answer` what would follow it."""

    pieces: tuple[Part, ...]
    answer: str
    label: int  # 1 = liked
    row: int  # the example's row in the stream
    history: tuple[int, ...]  # the rows it reads before its own, in time order

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.pieces)


@dataclass(frozen=True)
class Prompts:
    """The examples of a view as text, in the view's order."""

    view: Stream
    template: Template
    regime: Regime
    shape: Shape
    refresh: str = "event"
    similarity: str = "tfidf"  # how item texts are compared, where the template shows content facts
    _skeletons: dict[tuple[str, ...], list[Piece]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.view)

    def preview(self, example: int) -> Preview:
        """Example 0, 1, ... of the view."""
        if not 0 <= example < len(self):
            expected = f"0 to {len(self) - 1}" if len(self) else "a view with examples"
            raise DataError(f"stream '{self.view.name}'", f"has no example {example}", expected)
        row = int(self._plan.rows[example])
        history = self._history(example)
        pieces = self._timeline(history, row) if self.template.kind == "timeline" else self._single(history, row)
        return Preview(tuple(pieces), self._answer(row), int(self.view.label[row]), row, tuple(history.tolist()))

    # -- inside --------------------------------------------------------------------------------

    @cached_property
    def _plan(self) -> Layout:
        return lay_out(self.view, self.regime, self.shape)

    @cached_property
    def _facts(self) -> dict[str, list[str]]:
        """Text of every fact the template uses, per row of the stream."""
        if not self.template.facts:
            return {}
        similarity = wanted(self.template.facts, self.similarity)
        table = fact_table(self.view, self.regime, self.refresh, similarity=similarity)
        return rendered(table, self.template.facts).to_dict(as_series=False)

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        """Clean text of every field the template uses, per item code; fields the items lack are left out."""
        have = [f for f in self.template.fields if f in self.view.items.columns]
        return {f: [clean(text) for text in self.view.items[f]] for f in have}

    def _history(self, example: int) -> np.ndarray:
        """Rows of the user's events that stand before the example."""
        known = int(self._plan.known[example])
        first = known - self.shape.context if self.template.kind == "single" else self._plan.start[example]
        own = int(self.view.order.start[self._plan.user[example]])
        return self.view.order.rows[own + max(0, int(first)) : own + known]

    def _answer(self, row: int) -> str:
        return self.template.yes if self.view.label[row] else self.template.no

    def _present(self, row: int) -> list[str]:
        item = self.view.item[row]
        return [name for name, texts in self._texts.items() if texts[item]]

    def _timeline(self, history: np.ndarray, row: int) -> Iterable[Part]:
        if self.template.head:
            yield Part(self.template.head)
        for past in history.tolist():
            yield from self._event(past)
            yield Part(self._answer(past), "answer", past)
        yield from self._event(row)

    def _event(self, row: int) -> Iterable[Part]:
        present = tuple(self._present(row))
        if present not in self._skeletons:
            self._skeletons[present] = self.template.skeleton(present)
        for piece in self._skeletons[present]:
            yield self._part(piece, [row])

    def _single(self, history: np.ndarray, row: int) -> Iterable[Part]:
        rows = [*history.tolist(), row]
        named = [(n, self._present(r)) for n, r in enumerate(rows)]
        label = self.view.label[history]
        pieces = self.template.prompt(
            [named[n] for n in np.flatnonzero(label == 1)],
            [named[n] for n in np.flatnonzero(label == 0)],
            named[-1],
            {name: texts[row] for name, texts in self._facts.items()},
        )
        return [self._part(piece, rows) for piece in pieces]

    def _part(self, piece: Piece, rows: list[int]) -> Part:
        """A piece with its text put in; a slot says which of `rows` it belongs to."""
        if isinstance(piece, str):
            return Part(piece)
        space = " " if piece.space else ""
        if piece.item == FACT:
            return Part(space + self._facts[piece.field][rows[-1]], "fact", rows[-1])
        row = rows[piece.item]
        return Part(space + self._texts[piece.field][self.view.item[row]], "item", row)


def prompt_text(
    view: Stream,
    template: Template,
    regime: Regime,
    shape: Shape,
    refresh: str = "event",
    example: int = 0,
    similarity: str = "tfidf",
) -> Preview:
    """One example of a view as the model reads it; examples are numbered from 0 in time order."""
    return Prompts(view, template, regime, shape, refresh, similarity).preview(example)
