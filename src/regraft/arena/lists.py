"""Ranked lists in the arena: how high the chosen item stands among all that was on offer.

A request is a user at an instant at which something was chosen (liked, and happened); what else the same basket holds
is wanted as well. Requests of a period are drawn by row id. Every contender answers through `score`, by pairs that
stand at the request's instant (data/asked.py). Candidates are the items on offer before that instant; a wanted item
that is not among them has rank infinity for everybody: put there, it would be the only one without an earlier event.

    all         classical contenders rank every candidate, for as many requests as `pairs` allows
    retrieved   all contenders rerank the same candidates, found by one retriever

The retriever is fixed before anything is scored: an `item-knn` fitted on the update's past, with the items' rates and
similarities as of the update's cut and the user's history as of the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from regraft.baselines.features import log_odds
from regraft.data.asked import Asked
from regraft.data.draws import uniform
from regraft.data.neighbours import similarities, votes_on_all
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.metrics.ranking import target_ranks
from regraft.plugins import plugin_class
from regraft.prompts.facts import answer, fact_table, sums_after, sums_at
from regraft.report.lists import RANKED

if TYPE_CHECKING:
    from regraft.arena.compare import Arena
    from regraft.setup.config import RankingOptions
    from regraft.strategies.contender import Contender

RETRIEVER = "item-knn"  # the baseline whose weights it has
DRAW_KEY = 13  # of the draw of requests
VOTES = 1 << 22  # numbers that are held at once: the votes of some requests on all items


class Lists:
    """The requests of every scored period of a run, and what contenders make of them."""

    def __init__(self, arena: Arena, options: RankingOptions) -> None:
        self.arena, self.options = arena, options
        self._of: dict[int, Questions] = {}  # by update

    def questions(self, update: int) -> Questions:
        """What contenders are asked after the update; the same for all of them."""
        if update not in self._of:
            arena = self.arena
            self._of[update] = Questions(
                arena.stream.cases(update + 1), arena.past(update), arena.regime, self.options, update + 1
            )
        return self._of[update]

    def answer(self, similarity: str) -> None:
        """Works out the facts about item texts of all pairs that any contender is asked about."""
        language = any(contender.kind == "strategy" for contender in self.arena.config.contenders)
        for update in self.arena.updates:
            found = self.questions(update)
            for question in found.all(language):
                answer(question.asked, self.arena.regime, similarity=similarity)

    def ranks(self, update: int, contender: Contender, kind: str) -> pl.DataFrame:
        """Columns RANKED: the rank of every wanted item in the lists of this contender after the update."""
        found = self.questions(update)
        if not len(found.requests.row):
            return pl.DataFrame(schema=RANKED)
        if kind == "strategy":
            return found.reranked(contender, found.language)
        return pl.concat([found.reranked(contender, found.retrieved), found.all_ranked(contender)])


@dataclass(frozen=True)
class Requests:
    """Requests of one period in the order of their draw, and the wanted items by request."""

    log: Stream
    row: np.ndarray  # int64 [requests]: first row of the basket in `log`
    pool: np.ndarray  # int64 [requests]: the items with codes below were known before the instant
    wanted: list[np.ndarray]  # int32 codes, ascending

    @classmethod
    def drawn(cls, log: Stream, n: int) -> Requests:
        """At most `n` requests of the log's examples."""
        chosen = log.targets[log.happened[log.targets] & (log.labels == 1)]
        order = chosen[np.lexsort((chosen, log.time[chosen], log.user[chosen]))]
        new = (np.diff(log.user[order], prepend=-1) != 0) | (np.diff(log.time[order], prepend=-1) != 0)
        first = np.flatnonzero(new)
        baskets = np.split(order, first[1:])
        picked = np.argsort(uniform(log.row_id[order[first]], DRAW_KEY), kind="stable")[:n]
        row = order[first][picked]
        pool = np.searchsorted(_offered(log), log.known_at[row])
        return cls(log, row, pool, [np.unique(log.item[baskets[i]]) for i in picked])

    def first(self, n: int) -> Requests:
        """The first `n` of them."""
        return Requests(self.log, self.row[:n], self.pool[:n], self.wanted[:n])


class Questions:
    """What contenders are asked about one period."""

    def __init__(self, log: Stream, past: Stream, regime: Regime, options: RankingOptions, period: int) -> None:
        self.past, self.regime, self.options, self.period = past, regime, options, period
        self.requests = Requests.drawn(log, options.requests)

    def pairs(self, kind: str) -> int:
        """How many pairs of user and item a contender of this kind scores."""
        few = np.minimum(self.requests.pool, self.options.candidates)
        return int(few[: self.options.language].sum() if kind == "strategy" else few.sum() + self._pools.sum())

    @property
    def _pools(self) -> np.ndarray:
        """Candidates of the requests that rank everything: as many as `pairs` allows, one at least."""
        pool = self.requests.pool
        return pool[: max(1, int(np.searchsorted(np.cumsum(pool), self.options.pairs, side="right")))]

    @cached_property
    def everything(self) -> Question:
        """Requests with all their candidates."""
        return Question.of(self.requests, [np.arange(size, dtype=np.int32) for size in self._pools])

    @cached_property
    def retrieved(self) -> Question:
        """All requests, each with what the retriever found."""
        return Question.of(
            self.requests, list(retrieved(self.requests, self.past, self.regime, self.options.candidates))
        )

    @cached_property
    def language(self) -> Question:
        """The first of them: those that a contender with a language model is asked."""
        return Question.of(self.requests, self.retrieved.lists[: self.options.language])

    def all(self, language: bool) -> list[Question]:
        """Every question there is, those of contenders with a language model if there are any."""
        if not len(self.requests.row):
            return []
        return [self.retrieved, self.everything, *([self.language] if language else [])]

    def reranked(self, contender: Contender, question: Question) -> pl.DataFrame:
        return self._frame("retrieved", question, contender)

    def all_ranked(self, contender: Contender) -> pl.DataFrame:
        return self._frame("all", self.everything, contender)

    def _frame(self, among: str, question: Question, contender: Contender) -> pl.DataFrame:
        wanted = self.requests.wanted[: len(question.lists)]
        row = np.repeat(self.requests.row[: len(wanted)], [len(w) for w in wanted])
        log = self.requests.log
        columns = {
            "period": np.full(len(row), self.period), "among": np.full(len(row), among), "request": log.row_id[row],
            "user": log.user[row], "item": np.concatenate(wanted), "rank": question.ranks(contender, wanted),
        }  # fmt: skip
        return pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in RANKED.items())


@dataclass(frozen=True)
class Question:
    """Lists of candidates, one per request, in one view."""

    asked: Asked
    lists: list[np.ndarray]  # item codes
    at: np.ndarray  # int64 [pairs]: where the pairs of the lists, one after the other, stand in `asked`

    @classmethod
    def of(cls, requests: Requests, lists: list[np.ndarray]) -> Question:
        row = np.repeat(requests.row[: len(lists)], [len(one) for one in lists])
        order = np.argsort(row, kind="stable")
        place = np.empty(len(row), dtype=np.int64)
        place[order] = np.arange(len(row))
        return cls(Asked(requests.log, row[order], np.concatenate(lists)[order].astype(np.int32)), lists, place)

    def ranks(self, contender: Contender, wanted: list[np.ndarray]) -> np.ndarray:
        """float64: rank of each wanted item in the list of its request, infinity where it is not in the list."""
        scores = np.asarray(contender.score(self.asked.stream()), dtype=np.float64)[self.at]
        edges = np.cumsum([len(one) for one in self.lists])[:-1]
        found = [
            _ranks_in(items, own, mine)
            for items, own, mine in zip(self.lists, np.split(scores, edges), wanted, strict=True)
        ]
        return np.concatenate(found)


def _ranks_in(items: np.ndarray, scores: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if not len(items):
        return np.full(len(wanted), np.inf)
    sorter = np.argsort(items)
    at = sorter[np.minimum(np.searchsorted(items, wanted, sorter=sorter), len(items) - 1)]
    there = items[at] == wanted
    ranks = np.full(len(wanted), np.inf)
    ranks[there] = target_ranks(np.broadcast_to(scores, (int(there.sum()), len(scores))), at[there])
    return ranks


def retrieved(requests: Requests, past: Stream, regime: Regime, n: int) -> Iterator[np.ndarray]:
    """Per request the codes of the `n` best candidates by the common retriever, best first."""
    log = requests.log
    model: Any = plugin_class("baselines", RETRIEVER)(regime)
    model.renew(past)
    by_rate, _, by_kin = model.model.plain[1]
    cut, n_items = int(log.cuts[-2]) - log.gap, len(log.items)
    # Without a gap the sums of the log are those of the cut too: neighbours are counted where the period begins.
    sums = sums_at(past, regime, cut) if log.gap else sums_after(log, regime)
    every = np.arange(n_items, dtype=np.int32)
    nobody, before = np.full(n_items, -1, dtype=np.int32), np.full(n_items, sums.clock.opened)
    rate = sums.ask(nobody, every, np.full(n_items, cut), before)["item_rate"]
    similar, order, rows = similarities(sums.sums, n_items), log.order, requests.row
    residual = log.label - fact_table(log, regime)["item_rate"].to_numpy()
    count = order.known(log.user[rows], regime.known(log, rows))
    size = max(1, VOTES // max(1, n_items))
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        start, lengths = order.start[log.user[rows[part]]], count[part]
        kin = votes_on_all(similar, start, lengths, log.item[order.rows], residual[order.rows])
        scores = by_rate * log_odds(rate) + by_kin * kin
        for request, own in enumerate(scores, start=first):
            pool = int(requests.pool[request])
            yield np.argsort(-own[:pool], kind="stable")[:n].astype(np.int32)


def _offered(log: Stream) -> np.ndarray:
    """int64 ms per item code, ascending: since when the item is on offer; its first event, where no date is known."""
    if log.offered is not None:
        return log.offered
    offered = np.full(len(log.items), np.iinfo(np.int64).max)
    real = np.flatnonzero(log.happened)[::-1]
    offered[log.item[real]] = log.known_at[real]  # the first event is written last
    return np.maximum.accumulate(offered)
