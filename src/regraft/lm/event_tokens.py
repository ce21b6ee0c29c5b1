"""From events to tokens: an event is written piece by piece, and every distinct text is tokenised once.

Items are tokenised one by one and joined, never as a whole prompt, so that an event has the same tokens
wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from regraft.data.history import Events
from regraft.data.text import clean
from regraft.lm.ragged import Ragged, stack
from regraft.lm.tokenize import Tokenizer, token_ids
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.facts import FACTS
from regraft.prompts.pieces import FACT, Piece, Slot
from regraft.prompts.template import Template


@dataclass(frozen=True)
class EventTokens:
    """Writes events under one template; a field of an item takes at most `item_tokens`."""

    tokenizer: Tokenizer
    template: Template
    answers: Verbalizer
    item_tokens: int
    _items: dict[tuple[bool, str], list[int]] = field(default_factory=dict, repr=False)
    _texts: dict[str, list[int]] = field(default_factory=dict, repr=False)

    def of(self, events: Events, numbers: np.ndarray) -> Ragged:
        """Tokens of the events with these numbers as about to be judged; the answer would follow directly."""
        facts = self._facts(events, numbers)
        present, pattern = _presence(events.items, self.template.fields)
        pattern = pattern[events.item[numbers]]
        out: list[Ragged] = []
        place = np.zeros(len(numbers), dtype=np.int64)
        done = 0
        for number in np.unique(pattern):
            mine = np.flatnonzero(pattern == number)
            parts = []
            for piece in self.template.skeleton(present[number]):
                parts.append(self._column(piece, events, numbers, facts, mine))
            parts.append((Ragged.of([self.answers.shared]), np.zeros(len(mine), dtype=np.int64)))
            place[mine] = done + np.arange(len(mine))
            done += len(mine)
            out.append(_side_by_side(parts))
        return stack(out).take(place) if out else Ragged.of([])

    def item(self, piece: Slot, value: str) -> list[int]:
        """Tokens of one field of an item."""
        key = (piece.space, value)
        if key not in self._items:
            text = (" " if piece.space else "") + clean(value)
            self._items[key] = token_ids(self.tokenizer, text)[: self.item_tokens]
        return self._items[key]

    def text(self, text: str) -> list[int]:
        """Tokens of a fixed part of the template, or of a fact: there are few, each is tokenised once."""
        if text not in self._texts:
            self._texts[text] = token_ids(self.tokenizer, text)
        return self._texts[text]

    # -- inside --------------------------------------------------------------------------------

    def _facts(self, events: Events, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Texts of the facts that the template shows, one per event."""
        if not self.template.facts or events.facts is None:
            return {}
        return {name: FACTS[name].render(events.facts[name].to_numpy()[numbers]) for name in self.template.facts}

    def _column(
        self, piece: Piece, events: Events, numbers: np.ndarray, facts: dict[str, np.ndarray], mine: np.ndarray
    ) -> tuple[Ragged, np.ndarray]:
        """One piece for the events `numbers[mine]` as (table of distinct sequences, index per event)."""
        if isinstance(piece, str):
            return Ragged.of([self.text(piece)]), np.zeros(len(mine), dtype=np.int64)
        if piece.item == FACT:
            distinct, index = np.unique(facts[piece.field][mine], return_inverse=True)
            return Ragged.of([self.text((" " if piece.space else "") + str(text)) for text in distinct]), index
        used, index = np.unique(events.item[numbers[mine]], return_inverse=True)
        values = events.items[piece.field][used].to_list()
        return Ragged.of([self.item(piece, value) for value in values]), index


def _presence(items: pl.DataFrame, fields: list[str]) -> tuple[list[list[str]], np.ndarray]:
    """(field lists that occur, which of them each item has)."""
    have = [f for f in fields if f in items.columns]
    bits = np.zeros(len(items), dtype=np.int64)
    for n, name in enumerate(have):
        bits |= (items[name] != "").to_numpy().astype(np.int64) << n
    patterns, index = np.unique(bits, return_inverse=True)
    return [[f for n, f in enumerate(have) if bits >> n & 1] for bits in patterns], index


def _side_by_side(parts: list[tuple[Ragged, np.ndarray]]) -> Ragged:
    """Row r is the concatenation of part k's sequence at its index[r], for all k."""
    rows, width = len(parts[0][1]), len(parts)
    tables = stack([table for table, _ in parts])
    offset = np.cumsum([0, *(len(table) for table, _ in parts)])[:-1]
    index = np.stack([i + o for (_, i), o in zip(parts, offset, strict=True)], axis=1).ravel()
    return tables.take(index).grouped(np.full(rows, width))
