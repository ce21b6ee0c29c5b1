"""What a run would take, before it is started: cells, tokens, seconds and disk.

Strategies are run for real on a lab that counts instead of training, so the plan knows any strategy, shared
fits included. Seconds come from a probe of this machine (throughput.py, pace.py). Early stopping makes a run shorter
than planned.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from regraft.arena.compare import Arena
from regraft.arena.counting_lab import CountingLab, DoneWork, Work
from regraft.arena.event_counter import EventCounter
from regraft.arena.pace import Paces
from regraft.arena.predicted import PAGE_SECONDS, Line, Plan
from regraft.arena.throughput import Throughput, measure
from regraft.data.stream import Stream
from regraft.prompts.fact_sums import MOST_KNOWN
from regraft.prompts.similarity.protocol import NONE
from regraft.prompts.template import Template
from regraft.setup.config import ContenderOptions, plugin

SCORE_BYTES, KEPT_BYTES = 12, 16  # per row: in a cell, and kept by adapter
STATE_BYTES, RECORD_BYTES = 4, 2  # per row and dimension: a state that is kept, and one in a cell
CELL_SECONDS = 0.1  # to write a cell
BOOTSTRAP_SECONDS = 4e-5  # per contender and test row of a report


class Cases(NamedTuple):
    """The cases of one period, and those among them that are evaluation rows."""

    all: Stream
    held: Stream


def plan_run(
    arena: Arena, opening: float = 0.0, reader: Throughput | None = None, classical: bool = True,
    paces: Paces | None = None,
) -> Plan:  # fmt: skip
    """The plan of a run; nothing is written. `opening` is what it took to open the arena, in seconds.

    `reader` is the throughput under the arena's own template, and `paces` those of its classical contenders, where
    they were measured before, on this log. Without `classical` contenders the plan is of the others alone.
    Takes as long as reading the prompts of one period, a probe of a few seconds, and small renewals of each baseline.
    """
    reader, paces = reader or throughput(arena), paces or Paces(arena, lists=classical)
    content = paces.content  # first: contenders are timed with what it leaves
    counter = _counter(arena, arena.template, reader)
    known: dict[str, tuple[DoneWork, Throughput]] = {}  # by template
    if reader:
        known[arena.template.hash] = _done_work(counter, reader), reader
    cases, stacked = _cases(arena), False
    lines: list[Line] = []
    for contender in arena.up_the_ladder:
        if contender.kind == "strategy":
            template = arena.templates[contender.label]
            if template.hash not in known:
                own = measure(arena, template)
                known[template.hash] = _done_work(_counter(arena, template, own), own), own
            line = _strategy(arena, cases, contender, *known[template.hash])
            if contender.on_stack and not stacked:  # fitted once for all that build on it
                stacked = True
                alone = _classical(arena, cases, ContenderOptions(use="stack"), paces, "strategy").seconds
                line = replace(line, seconds=line.seconds + len(arena.config.seeds) * alone)
            lines.append(line)
        elif classical:
            lines.append(_classical(arena, cases, contender, paces))
    build, build_tokens, size = _build(arena, counter, reader)
    lists, texts = _lists(arena, paces) if classical else (0.0, 0.0)
    return Plan(
        lines=tuple(lines),
        tokens_per_event=reader.tokens_per_event if reader else 0.0,
        counted=reader.counted if reader else "",
        opening=opening,
        build=build,
        build_tokens=build_tokens,
        base_bytes=size,
        speed=reader.speed if reader else None,
        peak_memory=_peak_memory(arena, reader),
        notes=(*(reader.notes if reader else ()), *_of_items(arena)),
        reporting=_reporting(arena, [line for line in lines if line.classical]),
        content=content + texts,
        lists=lists,
    )


def _of_items(arena: Arena) -> list[str]:
    """What there is to know of a very large catalogue."""
    found = len(arena.stream.items)
    if arena.factory.similarities == [NONE] or found <= MOST_KNOWN:
        return []
    return [
        f"item texts: of {found:,} items the {MOST_KNOWN:,} with the most events are those that all are compared with"
    ]


def seconds_left(arena: Arena) -> float:
    """What the unfinished cells of strategies take, the building of their base model included."""
    plan = plan_run(arena, classical=False)
    unfinished = Counter(c.contender.label for c in arena.cells() if not c.finished(arena.folder))
    return plan.build + sum(line.seconds * unfinished[line.contender] / line.cells for line in plan.lines)


def _lists(arena: Arena, paces: Paces) -> tuple[float, float]:
    """Seconds of what is done once for the lists of all contenders: retrieving and facts; facts about item texts."""
    if not arena.lists:
        return 0.0, 0.0
    pace, asked = paces.lists, [arena.lists.questions(update) for update in arena.updates]
    requests = sum(len(one.requests.row) for one in asked)
    pairs = sum(one.pairs("baseline") for one in asked)
    return pace.once + len(asked) * pace.update + requests * pace.request + pairs * pace.pair, pairs * pace.text


def _reporting(arena: Arena, lines: Sequence[Line]) -> float:
    """Seconds of the reports after the classical rungs: bootstraps once per contender, a page for each rung."""
    rows = sum(len(arena.stream.cases(update + 1)) for update in arena.updates)
    rungs = {arena.rungs[line.contender] for line in lines}
    return len(rungs) * PAGE_SECONDS + len(lines) * rows * BOOTSTRAP_SECONDS


def throughput(arena: Arena) -> Throughput | None:
    """What reading costs under the arena's own template; None where no strategy reads."""
    strategies = [c for c in arena.config.contenders if c.kind == "strategy"]
    return measure(arena, arena.template) if strategies else None


def _done_work(counter: EventCounter, reader: Throughput) -> DoneWork:
    return DoneWork(counter, kept=np.zeros(len(counter.stream.time), dtype=bool) if reader.speed.trunk else None)


def _counter(arena: Arena, template: Template, reader: Throughput | None) -> EventCounter:
    shape = arena.config.timeline.shape
    per_event = reader.tokens_per_event if reader else 12.0
    return EventCounter(arena.stream, arena.regime, shape, template.kind, max(1, int(512 / max(1.0, per_event))))


def _strategy(
    arena: Arena, cases: list[Cases], contender: ContenderOptions, done_work: DoneWork, reader: Throughput
) -> Line:
    """Runs the strategy through all updates and seeds on counting labs."""
    from regraft.strategies.close_period import close_period

    work, disk, rows = Work(), 0.0, 0
    seeds = arena.config.seeds
    for seed in seeds:
        strategy: Any = plugin(contender)
        lab = CountingLab(done_work, arena.config.fit, arena.regime, seed, arena.config.similarity)
        blend = None
        for update in arena.updates:
            closed = close_period(
                strategy, blend, arena.past(update), lab, contender.calibration, fit_calibration=False
            )
            blend = closed.blend
            for view in _scored_views(cases, update):
                lab.score(blend, view)
                rows += len(view)
            if arena.lists:  # a candidate is read as one event, and its user's history once per request
                requests, own = arena.lists.options.language, arena.lists.questions(update).pairs("strategy")
                lab.work.scored += len(blend.parts) * (own + requests * arena.config.timeline.context)
            adapters = {a.hash for a, _ in blend.parts if a is not None} | {a.hash for a in blend.kept.values()}
            disk += len(adapters) * reader.speed.adapter_bytes
            disk += len(blend.state.get("records.rows", ())) * reader.speed.width * RECORD_BYTES
        work = work + lab.work
    trained, scored = (round(events * reader.tokens_per_event) for events in (work.trained, work.scored))
    seconds = trained / reader.speed.train + scored / reader.speed.score
    lower = work.lower * reader.tokens_per_event
    if lower:
        seconds += lower / reader.speed.trunk
        disk += min(lower * reader.speed.state_bytes, arena.config.cache.bytes)
    cells = len(seeds) * len(arena.updates)
    disk += work.fits * reader.speed.adapter_bytes + work.rows * KEPT_BYTES + rows * SCORE_BYTES
    if getattr(strategy, "reads_states", False):
        disk += work.rows * reader.speed.width * STATE_BYTES
    return Line(
        contender.label, cells, work.fits, trained, scored, seconds + cells * CELL_SECONDS, disk, False,
        arena.rungs[contender.label],
    )  # fmt: skip


def _classical(
    arena: Arena, cases: list[Cases], contender: ContenderOptions, paces: Paces, kind: str = "baseline"
) -> Line:
    """From its pace; a stack behind strategies ranks as few pairs as they do (`kind`)."""
    pace, cells = paces.of(contender), len(arena.updates)
    rows = sum(len(view) for update in arena.updates for view in _scored_views(cases, update))
    pairs = sum(arena.lists.questions(update).pairs(kind) for update in arena.updates) if arena.lists else 0
    renewing = pace.renewals([len(arena.past(update)) for update in arena.updates])
    seconds = renewing + rows * pace.row + pairs * pace.pair + cells * CELL_SECONDS
    rung = arena.rungs.get(contender.label, "")  # a stack behind a strategy need not be a contender
    return Line(contender.label, cells, 0, 0, 0, seconds, rows * SCORE_BYTES, True, rung)


def _cases(arena: Arena) -> list[Cases]:
    """Of periods 1, 2, ...; worked out once, every cell scores some of them."""
    found = []
    for period in range(1, arena.stream.n_periods + 1):
        cases = arena.stream.cases(period)
        held = np.asarray(arena.eval_rows[cases.targets] & bool(arena.config.eval_share))
        found.append(Cases(cases, cases.only(held)))
    return found


def _scored_views(cases: list[Cases], update: int) -> list[Stream]:
    """What a cell scores: the cases of its period, and the evaluation rows of all others."""
    views = [cases[update].all, *(held for period, (_, held) in enumerate(cases, start=1) if period != update + 1)]
    return [view for view in views if len(view)]


def _build(arena: Arena, counter: EventCounter, reader: Throughput | None) -> tuple[float, int, int]:
    """(seconds, tokens, bytes) of a nano base that is not there yet."""
    if reader is None or reader.nano is None:
        return 0.0, 0, 0
    warm_up = arena.stream.warm_up()
    if reader.nano.objective == "labels":
        events = counter.read(warm_up.targets)
    else:
        events = len(warm_up)
    tokens = round(events * reader.tokens_per_event * reader.nano.epochs)
    return reader.tokenizer_seconds + tokens / reader.speed.build, tokens, reader.speed.base_bytes


def _peak_memory(arena: Arena, reader: Throughput | None) -> float:
    """What this process has now, with log and base model in it, and what a batch in training adds."""
    now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return now + (reader.speed.saved_bytes * arena.config.fit.batch_tokens if reader else 0.0)
