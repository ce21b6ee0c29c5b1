"""One person's prompt as the model reads it: pieces, tokens, the place where the answer is read, and what that costs.

People of a site are random uids in its rows already: nobody is named here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from regraft.errors import DataError
from regraft.metrics.spending import cost_per_thousand
from regraft.prompts.preview import Preview
from regraft.setup.prompting import Desk

if TYPE_CHECKING:
    from regraft.lm.token_view import TokenView

CANDIDATES = 100  # of a list of recommendations
PASSES = 3  # of which the fastest counts


@dataclass(frozen=True)
class Cost:
    """Tokens of one person's history and of one candidate behind it; seconds that a pass over all of it took here."""

    history: int
    candidate: int
    seconds: float
    hour: float | None = None  # price of an hour of the serving machine, where a site says one
    currency: str = ""

    @property
    def per_list(self) -> int:
        """Tokens of a list: the history once, then every candidate."""
        return self.history + CANDIDATES * self.candidate

    @property
    def seconds_per_list(self) -> float:
        """At the pace of the pass, without what a warm history spares."""
        return self.seconds * self.per_list / max(1, self.history + self.candidate)

    @property
    def money(self) -> float | None:
        """Of 1,000 lists; None where no price is known."""
        return None if self.hour is None else cost_per_thousand(self.seconds_per_list, self.hour)


@dataclass(frozen=True)
class Reading:
    """`tokens` and `cost` are None where no base model is at hand."""

    preview: Preview
    user: str
    example: int
    tokens: TokenView | None = None
    cost: Cost | None = None


def reading(desk: Desk, user: str | None = None, example: int | None = None, tokens: bool = True) -> Reading:
    """The newest example of a user, or an example by number; of nobody named, the newest one that has a history."""
    number = desk.newest_of(user) if user is not None else _newest(desk) if example is None else example
    read = desk.preview(number)
    who = str(desk.stream.user_ids[int(desk.stream.user[read.row])])
    if not tokens or desk.base is None:
        return Reading(read, who, number)
    from regraft.lm.score import score_blocks
    from regraft.lm.token_view import token_view

    shop = desk.workshop(desk.base)
    with shop.grafts.bare():
        seen = token_view(shop.base, shop.encoder, desk.stream, number)
        blocks = shop.encoder.encode(desk.stream.only(np.array([number])))
        took = []
        for _ in range(PASSES):
            began = perf_counter()
            score_blocks(shop.base, shop.encoder.answers, blocks)
            took.append(perf_counter() - began)
    own = len(seen.tokens)
    if desk.template.kind == "timeline":
        own = int(shop.encoder.events(desk.stream, np.array([read.row])).lengths[0])
    prices = getattr(desk.config, "prices", None)  # a site has them, a run has none
    cost = Cost(len(seen.tokens) - own, own, min(took))
    if prices is not None:
        cost = replace(cost, hour=prices.serving_hour, currency=prices.currency)
    return Reading(read, who, number, seen, cost)


def people(desk: Desk, most: int = 20) -> list[str]:
    """Users to look at: those with the longest histories among the newest examples, the newest first."""
    newest = desk.stream.users[::-1]
    _, first = np.unique(newest, return_index=True)
    return [str(desk.stream.user_ids[int(newest[at])]) for at in np.sort(first)[:most]]


def _newest(desk: Desk) -> int:
    stream = desk.stream
    if not len(stream):
        raise DataError("stream '{stream}'", "has no examples", "a site that has closed a day", stream=stream.name)
    for number in range(len(stream) - 1, max(-1, len(stream) - 200), -1):
        if stream.order.index[stream.targets[number]] >= 3:
            return number
    return len(stream) - 1
