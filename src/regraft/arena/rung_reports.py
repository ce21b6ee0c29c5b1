"""A report after each rung of a run: the first answer comes with the cheap rungs, the dear ones may be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from regraft.arena.cell import Cell
from regraft.arena.compare import Arena
from regraft.arena.run_report import REPORT
from regraft.cost import Renewal
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import DRAWS_PER_CONTENDER, summarise, verdict
from regraft.rungs import CLASSICAL

DRAWS = 400  # resamples of users behind a report between two rungs: enough for Holm's correction over its groups


@dataclass(frozen=True)
class RungDone:
    """What is told when all cells of one more rung are there, and the report is written.

    `classical` where the next rung is the first with a language model; `answer` is the first sentence of the verdict.
    """

    rung: str
    classical: bool
    report: str
    answer: str


def reported(
    arena: Arena, cells: Iterator[tuple[Cell, Renewal | None]], lang: str = "en",
    tell: Callable[[RungDone], object] = lambda done: None,
) -> Iterator[tuple[Cell, Renewal | None]]:  # fmt: skip
    """Passes on what a run yields; writes report.html, in brief, when all cells of one more rung are there.

    Not after the last one: whoever follows the run writes the whole report at its end. Each seed climbs the ladder
    anew. Rungs that were there before the run went on are not reported again.
    """
    waiting = _rungs(arena)
    kept: dict[Any, Any] = {}
    news = not (arena.folder / REPORT).is_file()
    for cell, renewal in cells:
        yield cell, renewal
        news = news or renewal is not None
        for _, missing in waiting:
            missing.discard(str(cell))
        done = None
        while len(waiting) > 1 and not waiting[0][1]:  # on a cluster a higher rung may have been there first
            done = waiting.pop(0)[0]
        if done is not None and news:
            tell(_report(arena, done, done in CLASSICAL and waiting[0][0] not in CLASSICAL, lang, kept))
            news = False


def _rungs(arena: Arena) -> list[tuple[str, set[str]]]:
    """Rungs in the order they run, once per seed, with their cells."""
    found: list[tuple[str, set[str]]] = []
    seed: int | None = None
    for cell in arena.cells():
        rung = arena.rungs[cell.contender.label]
        if not found or (rung, cell.seed) != (found[-1][0], seed):
            found.append((rung, set()))
        found[-1][1].add(str(cell))
        seed = cell.seed
    return found


def _report(arena: Arena, rung: str, classical: bool, lang: str, kept: dict[Any, Any]) -> RungDone:
    arena.collect()
    results = Results.load(arena.folder)
    draws = max(
        DRAWS, DRAWS_PER_CONTENDER * len(arena.config.contenders)
    )  # the same for every rung: what is kept holds
    summary = summarise(results, draws, kept=kept)
    path = write_report(results, arena.folder / REPORT, lang, summary=summary, brief=True)
    return RungDone(rung, classical, str(path), verdict(summary, lang)[0])
