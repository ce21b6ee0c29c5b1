"""How long the prompts of a template are on a log's own examples, and how many people's histories it cuts off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from regraft.data.stream import Stream
from regraft.prompts.timeline import lay_out
from regraft.setup.prompting import Desk

BARS = 12  # of the histogram, at most


@dataclass(frozen=True)
class Bar:
    """Prompts of `low` to `high` tokens, both inclusive: how many, and of how many people."""

    low: int
    high: int
    prompts: int
    people: int


@dataclass(frozen=True)
class PromptLengths:
    """Tokens from the start of a prompt to the place where the answer is read, over `prompts` examples.

    `truncated`: share of the prompts that leave out the oldest events of a history, because it is longer than
    `timeline` lets it be.
    """

    template: str
    prompts: int
    people: int
    median: int
    most: int  # 95 % of the prompts take no more
    longest: int
    truncated: float
    bars: tuple[Bar, ...]


def prompt_lengths(desk: Desk) -> PromptLengths | None:
    """Of up to 2,000 examples, spread over the log; None where no base model is there to count tokens."""
    if desk.base is None or not len(desk.stream):
        return None
    from regraft.lm.token_view import sample

    shop, chosen = desk.workshop(desk.base), sample(desk.stream)
    blocks = shop.encoder.encode(chosen)
    read = blocks.tokens.start[blocks.block] + blocks.read
    return lengths_of(desk.template.name, blocks.position[read] + 1, _truncated(desk, chosen), chosen.users)


def lengths_of(template: str, tokens: np.ndarray, truncated: np.ndarray, users: np.ndarray) -> PromptLengths:
    """From one number of tokens, one bool and one person per prompt; there is at least one."""
    median, most = np.quantile(tokens, [0.5, 0.95], method="higher")
    edges = _edges(int(tokens.min()), int(tokens.max()))
    bars = tuple(_bar(low, high - 1, tokens, users) for low, high in pairwise(edges))
    return PromptLengths(
        template, len(tokens), len(np.unique(users)), int(median), int(most), int(tokens.max()),
        float(truncated.mean()), bars,
    )  # fmt: skip


def _truncated(desk: Desk, view: Stream) -> np.ndarray:
    """bool per example: does its prompt begin after the first event that it knows?"""
    shape = desk.config.timeline.shape
    layout = lay_out(view, desk.regime, shape)
    if desk.template.kind == "timeline":
        return layout.start > 0
    return layout.known > shape.context


def _edges(low: int, high: int) -> Sequence[int]:
    """Round numbers from `low` or less to more than `high`, at most BARS apart."""
    wanted = (high - low + 1) / BARS
    size = 10 ** max(0, int(np.floor(np.log10(max(wanted, 1)))))
    step = next(size * k for k in (1, 2, 5, 10, 20) if size * k * (BARS - 1) >= high - low)
    first = low // step * step
    return range(first, high + step + 1, step)


def _bar(low: int, high: int, tokens: np.ndarray, users: np.ndarray) -> Bar:
    inside = (tokens >= low) & (tokens <= high)
    return Bar(low, high, int(inside.sum()), len(np.unique(users[inside])))
