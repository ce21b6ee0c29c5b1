"""Prompts in tokens: one example token by token, and how long events, fields and facts of a log are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regraft.data.stream import Stream
from regraft.data.text import clean
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Encoder
from regraft.lm.score import score_blocks
from regraft.lm.tokenize import opening_ids, text_of, token_ids
from regraft.prompts.facts import fact_table, rendered

SAMPLE = 2_000  # examples, spread over the view, from which lengths are taken


@dataclass(frozen=True)
class TokenView:
    """One example as the model reads it. The answer is read after the last token."""

    tokens: tuple[str, ...]
    yes: str
    no: str
    log_odds: float  # of yes over no, said by the bare base model


def token_view(base: BaseModel, encoder: Encoder, view: Stream, example: int) -> TokenView:
    """Example 0, 1, ... of the view, tokenised as in training."""
    blocks = encoder.encode(view.only(np.array([example])))
    ids = blocks.tokens[0][: int(blocks.read[0]) + 1]
    answers = encoder.answers
    score = float(score_blocks(base, answers, blocks)[0])
    *read, yes, no = (text_of(base.tokenizer, [int(i)]) for i in (*ids, answers.yes, answers.no))
    return TokenView(tuple(read), yes, no, score)


@dataclass(frozen=True)
class Length:
    """Tokens of one part of a prompt: mean and longest over what was looked at, and the longest text."""

    part: str
    mean: float
    longest: int
    example: str


def lengths(encoder: Encoder, view: Stream) -> list[Length]:
    """Events, fields, facts and blocks of up to SAMPLE examples of the view; the mean is per occurrence.

    "any block" is the bound that no example of these items can exceed.
    """
    chosen = sample(view)
    rows = chosen.targets
    template, answer = encoder.template, max(len(encoder.answers.spoken[0]), len(encoder.answers.spoken[1]))
    found = []
    if template.kind == "timeline":
        events = encoder.events(view, rows).lengths
        found.append(_length("event", events, [_title(view, int(row)) for row in rows]))
    for field in template.fields:
        if field in view.items.columns:
            texts = [clean(text) for text in view.items[field].gather(view.item[rows])]
            counts = [len(token_ids(encoder.tokenizer, f" {text}")) for text in texts]
            found.append(_length(f"item.{field}", counts, texts))
    if template.facts:
        table = rendered(
            fact_table(view, encoder.regime, encoder.refresh, similarity=encoder.compares)[rows], template.facts
        )
        for fact in template.facts:
            texts = table[fact].to_list()
            found.append(_length(f"facts.{fact}", [len(token_ids(encoder.tokenizer, f" {t}")) for t in texts], texts))
    blocks = encoder.encode(chosen)
    longest = np.maximum.reduceat(blocks.position, blocks.tokens.start[:-1]) + 1
    found.append(_length("block", longest, [""] * len(longest)))
    if template.kind == "timeline":
        head = len(opening_ids(encoder.tokenizer, template.head))
        reach = encoder.shape.context + encoder.shape.targets
        bound = head + reach * (int(events.max()) + answer)
        found.append(Length("any block", float(bound), bound, f"head, then {reach} of the longest events"))
    return found


def tokens_per_event(encoder: Encoder, view: Stream) -> float:
    """Mean over up to SAMPLE examples: an event with the answer that history holds after it.

    Where a template gives every example a prompt of its own, that whole prompt is the event.
    """
    chosen = sample(view)
    if encoder.template.kind != "timeline":
        return float(encoder.encode(chosen).tokens.lengths.mean())
    answer = np.array([len(spoken) for spoken in encoder.answers.spoken])
    return float((encoder.events(view, chosen.targets).lengths + answer[chosen.labels]).mean())


def sample(view: Stream) -> Stream:
    """Up to SAMPLE examples, spread evenly over the view."""
    return view.only(np.unique(np.linspace(0, len(view) - 1, min(SAMPLE, len(view))).astype(np.int64)))


def _length(part: str, counts: Sequence[int] | np.ndarray, texts: Sequence[str]) -> Length:
    numbers = np.asarray(counts)
    worst = int(numbers.argmax())
    return Length(part, float(numbers.mean()), int(numbers[worst]), texts[worst])


def _title(view: Stream, row: int) -> str:
    return str(view.items["title"][int(view.item[row])])
