"""What classical contenders take on this machine, timed on a part of the work before the run.

A renewal is timed on two samples of the examples, each with the whole history, and reckoned for any number of examples
by the line through both. Rows are timed on the first period that is scored, pairs on a few requests of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from time import perf_counter
from typing import Any

import numpy as np

from regraft.arena.compare import Arena
from regraft.arena.lists import Question, Requests, retrieved
from regraft.data.draws import uniform
from regraft.data.stream import Stream
from regraft.prompts.facts import answer, has_table, sums_after
from regraft.prompts.similarity.protocol import NONE
from regraft.setup.config import ContenderOptions, plugin

SAMPLES = 3_000, 12_000  # examples that a renewal is timed on
ROWS = 20_000  # that scoring is timed on
REQUESTS, CANDIDATES = 64, 200  # that lists are timed on
GROWTH = 1.5  # power of its length with which facts about the texts of a log grow
LEAST_SLOPE = 0.2  # a further example takes at least this share of what an example of the larger sample took
DRAW_KEY = 17  # of the draw of examples


@dataclass(frozen=True)
class Pace:
    """Seconds of one contender: of a renewal on n examples `fixed + example * n`, per row and per pair scored.

    A renewal that follows another takes the share `later` of that.
    """

    fixed: float
    example: float
    later: float
    row: float
    pair: float

    def renewals(self, examples: Sequence[int]) -> float:
        """Seconds of renewals on so many examples each, one after the other."""
        first, *others = (self.fixed + self.example * n for n in examples)
        return first + self.later * sum(others)


@dataclass(frozen=True)
class ListPace:
    """Seconds of what lists take once for all contenders: in all, per update, per request and per pair.

    `text` is what facts about item texts take per pair; the lowest rungs do not wait for them.
    """

    once: float = 0.0
    update: float = 0.0
    request: float = 0.0
    pair: float = 0.0
    text: float = 0.0


class Paces:
    """Those of the contenders of an arena, each timed when first asked for; without `lists` a pair counts as a row."""

    def __init__(self, arena: Arena, lists: bool = True) -> None:
        self.arena, self._ranks = arena, lists and arena.lists is not None
        self._known: dict[str, Pace] = {}  # by plug-in and settings

    def of(self, contender: ContenderOptions) -> Pace:
        key = repr((contender.use, contender.settings))
        if key not in self._known:
            self._known[key] = self._timed(contender)
        return self._known[key]

    def _timed(self, contender: ContenderOptions) -> Pace:
        """A contender renewed on both samples, and with the larger one once more at the second update."""
        arena, settings = self.arena, self.arena.config.settings_of(contender)
        models = [plugin(contender)(arena.regime, arena.config.seeds[0], **settings) for _ in SAMPLES]
        past = arena.past(arena.first)
        shares = [min(1.0, size / len(past)) for size in SAMPLES]
        few, many = (_sample(past, share) for share in shares)
        took = _seconds(lambda: models[1].renew(many))
        example = mean = took / len(many)
        if shares[0] < 1:
            slope = (took - _seconds(lambda: models[0].renew(few))) / max(1, len(many) - len(few))
            example = float(np.clip(slope, LEAST_SLOPE * mean, mean))
        fixed, later = took - example * len(many), 1.0
        if arena.last > arena.first:
            more = _sample(arena.past(arena.first + 1), shares[1])
            later = _seconds(lambda: models[1].renew(more)) / max(1e-9, fixed + example * len(more))
        row = pair = _seconds(lambda: models[1].score(self.cases)) / max(1, len(self.cases))
        if self.question and self.lists:  # facts about these pairs are worked out by now, once for all
            pairs = self.question.asked.stream()
            pair = _seconds(lambda: models[1].score(pairs)) / max(1, len(pairs))
        return Pace(fixed, example, later, row, pair)

    @cached_property
    def cases(self) -> Stream:
        """Some of the first period that is scored."""
        cases = self.arena.stream.cases(self.arena.first + 1)
        return _sample(cases, min(1.0, ROWS / max(1, len(cases))))

    @cached_property
    def content(self) -> float:
        """For facts about item texts of the whole log, as far as they are not there: reckoned from a part of it."""
        arena, part = self.arena, self._requests.log
        share = len(part.time) / max(1, len(arena.stream.time))
        absent = [one for one in arena.factory.similarities if not has_table(arena.stream, arena.regime, one)]
        took = sum(_seconds(partial(sums_after, part, arena.regime, similarity=one)) for one in absent)
        return took / max(0.1, share) ** GROWTH

    @cached_property
    def _requests(self) -> Requests:
        return Requests.drawn(self.arena.stream.cases(self.arena.first + 1), REQUESTS)

    @cached_property
    def question(self) -> Question | None:
        """Pairs of some requests of that period, all about the same items, as lists are; None where none are ranked."""
        if not self._ranks or not len(self._requests.row):
            return None
        some = (
            np.random.default_rng(0)
            .permutation(max(1, int(np.median(self._requests.pool))))[:CANDIDATES]
            .astype(np.int32)
        )
        return Question.of(self._requests, [some] * len(self._requests.row))

    @cached_property
    def lists(self) -> ListPace:
        """What comes before any contender scores a pair; all zeros where no lists are ranked."""
        question, arena = self.question, self.arena
        if question is None:
            return ListPace()
        assert self.content >= 0  # those facts are worked out by now: they are no part of the lists
        log, past, regime = self._requests.log, arena.past(arena.first), arena.regime
        whole = len(arena.stream.time) / max(1, len(log.time))
        once = whole * _seconds(partial(sums_after, log, regime))
        kinds = arena.factory.similarities
        took = {one: _seconds(partial(answer, question.asked, regime, similarity=one)) for one in kinds}
        n = max(1, len(question.asked))
        pair, text = took.pop(NONE, 0.0) / n, sum(took.values()) / n
        one = _seconds(lambda: list(retrieved(self._requests.first(1), past, regime, CANDIDATES)))
        many = _seconds(lambda: list(retrieved(self._requests, past, regime, CANDIDATES)))
        request = max(0.0, many - one) / max(1, len(self._requests.row) - 1)
        return ListPace(once, one, request, pair, text)


def _sample(view: Stream, share: float) -> Stream:
    """Drawn by row id: the sample of a later view holds that of an earlier one."""
    return view.only(uniform(view.ids, DRAW_KEY) < share) if share < 1 else view


def _seconds(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
