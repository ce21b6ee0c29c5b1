"""The prequential run: every contender is renewed when a period closes and tested on the next one.

A cell is one contender, seed and update. It is written whole or not at all, so a killed run goes on
where it stopped and ends with the same results. Nothing is handed to a contender but views that end at
the cut, and cases; no case is dropped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft.arena.cell import CELLS, CONTENDER, COST, LISTS, TABLE, Cell
from regraft.arena.claim import claim, keep_cuts, kept_first_update, may_write
from regraft.arena.collect import collect
from regraft.arena.contender_factory import ContenderFactory
from regraft.arena.lists import Lists
from regraft.arena.of_site import open_log
from regraft.cost import Renewal, measured
from regraft.data.draws import evaluation_rows
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError, ModelError, ResultsError
from regraft.files import remove, whole_folder
from regraft.prompts.facts import fact_table
from regraft.prompts.template import Template
from regraft.rungs import height
from regraft.setup.config import ArenaConfig, ContenderOptions, rung_of
from regraft.setup.inputs import inputs
from regraft.strategies.contender import Contender


class Arena:
    """One run in one folder. `run()` yields each cell as it is finished."""

    def __init__(self, config: ArenaConfig, folder: Path, stream: Stream | None = None) -> None:
        self.config, self.folder = config, folder
        self.stream = open_log(config, folder) if stream is None else stream
        self.regime = Regime.parse(config.regime)
        self.template = Template.load(config.template)
        self.templates = {c.label: Template.load(c.template or config.template) for c in config.contenders}
        n = self.stream.n_periods
        # A log that grows has more periods; the run in the folder still begins where it began.
        self.first = config.first_update or kept_first_update(folder, config.data.periods) or n // 2
        self.last = config.last_update or n - 1
        if not 1 <= self.first <= self.last < n:
            raise ConfigError(
                "first_update and last_update", f"{self.first} to {self.last} of {n} periods", f"1 to {n - 1}, in order"
            )
        self.lists = Lists(self, config.lists) if config.lists else None
        self.factory = ContenderFactory(self)
        self.base: dict[str, Any] | None = None  # the base model in words, once it is opened
        self.machine: dict[str, Any] | None = None  # what the work is done on, where it is not done here
        self.reads: tuple[Path, ...] = ()  # files that are read beside those of the configuration: its own
        self.tell: Callable[[str], object] = str  # hears, in words, of what was damaged and is worked out again
        self._notes: list[str] | None = None  # on the base model, once it is checked
        self._cases_of: dict[int, np.ndarray] = {}  # by update
        self._at_hand: tuple[Cell, Contender] | None = None  # the contender as the last cell left it
        self.prepared(self.stream)

    def prepared(self, log: Stream) -> Stream:
        """The log with the whole table of facts at once: a view gets its first rows, as it would compute itself."""
        log.order  # noqa: B018 - worked out once, views take their part of it
        fact_table(log, self.regime, self.config.refresh)
        if self.regime.name != "fresh" or self.config.refresh != "event":
            fact_table(log, self.regime)
        return log

    # -- what there is to do -------------------------------------------------------------------

    @property
    def updates(self) -> range:
        return range(self.first, self.last + 1)

    def cells(self) -> list[Cell]:
        """In the order they run: one whole seed after the other; inside, cheap rungs first, updates in time order."""
        return [
            Cell(contender, seed, update)
            for seed in self.config.seeds
            for contender in self.up_the_ladder
            if contender.kind == "strategy" or seed == self.config.seeds[0]
            for update in self.updates
        ]

    @cached_property
    def rungs(self) -> dict[str, str]:
        """The rung of each contender, by label, in the order of the configuration."""
        return {c.label: rung_of(c, self.config.settings_of(c)) for c in self.config.contenders}

    @cached_property
    def up_the_ladder(self) -> list[ContenderOptions]:
        """Contenders by rung, the cheapest first; inside a rung in the order of the configuration."""
        return sorted(self.config.contenders, key=lambda c: height(self.rungs[c.label]))

    @cached_property
    def eval_rows(self) -> np.ndarray:
        """bool per row of the stream: examples that nothing is ever trained on."""
        return evaluation_rows(self.stream, self.config.timeline.targets, self.config.eval_share)

    def past(self, update: int) -> Stream:
        """What the update at the close of period `update` learns from."""
        view = self.stream.until(update + 1)
        past = view.only(~self.eval_rows[view.targets])
        if not len(past):
            raise DataError(
                f"update {update}", "there is no example before its cut", "examples to learn from",
                "Set first_update to a later period",
            )  # fmt: skip
        return past

    # -- what a cell is: a run that is cut otherwise says it otherwise ---------------------------

    def learns(self, cell: Cell) -> Stream:
        """What the cell's contender learns from."""
        return self.past(cell.update)

    def asks(self, cell: Cell) -> Iterator[tuple[int, Stream]]:
        """(period, cases) that the cell scores: the next period, then rows of all others that nothing is trained on."""
        yield cell.update + 1, self.stream.cases(cell.update + 1)
        for period in range(1, self.stream.n_periods + 1):
            if period != cell.update + 1 and self.config.eval_share:
                cases = self.stream.cases(period)
                cases = cases.only(self.eval_rows[cases.targets])
                if len(cases):
                    yield period, cases

    def asked(self, cell: Cell) -> np.ndarray:
        """int64: the numbers of all cases that the cell scores, in its order."""
        if cell.update not in self._cases_of:
            self._cases_of[cell.update] = np.concatenate([self.numbers(cases) for _, cases in self.asks(cell)])
        return self._cases_of[cell.update]

    def numbers(self, cases: Stream) -> np.ndarray:
        """int64 per case: its position in the stream of the run."""
        return cases.targets

    def earlier(self, cell: Cell) -> Cell | None:
        """The same contender's cell before this one; None for its first."""
        return None if cell.update == self.first else replace(cell, update=cell.update - 1)

    # -- running -------------------------------------------------------------------------------

    def claim(self) -> None:
        """Makes the folder this run's; refuses one that holds another run."""
        may_write(self.folder, inputs(self.config, *self.reads))
        own = {c.label: self.templates[c.label].hash for c in self.config.contenders if c.template}
        grown = claim(self.folder, self.config, self.stream, self.template.hash, own)
        if grown:  # cells hold scores of every period; fits and scores are kept, so they are soon there again
            self.tell("the log has grown since this run began: cells are written anew from kept fits and scores")
            remove(self.folder / CELLS)
        keep_cuts(self.folder, self.config.data.periods, self.stream.frozen, self.first)

    def preflight(self) -> list[str]:
        """Checks the base model that a configuration names, where an unfinished cell needs it.

        Its weights are not read where it can be judged without: classical rungs need not wait for them. Returns what
        there is to know of it, in words. Raises ModelError where it cannot be loaded or adapted.
        """
        if self._notes is None:
            needed = any(c.contender.kind == "strategy" and not c.finished(self.folder) for c in self.cells())
            self._notes = self._checked_base() if needed and self.config.base.path else []
        return list(self._notes)

    def _checked_base(self) -> list[str]:
        from regraft.setup.base import check_base

        notes = check_base(self.config)
        return list(self.factory.workshop.base.notes) if notes is None else notes

    def run(self, budget: float | None = None) -> Iterator[tuple[Cell, Renewal | None]]:
        """Yields (cell, renewal), None for cells that were there. Stops after `budget` seconds."""
        self.claim()
        self.preflight()  # no cell is begun with a base model that fails later
        began = time.monotonic()
        for cell in self.cells():
            if self.there(cell):
                yield cell, None
            elif budget is not None and time.monotonic() - began > budget:
                break
            else:
                yield cell, self.one(cell)
        self.collect()

    def there(self, cell: Cell) -> bool:
        """Whether the cell is finished and whole. What is left of a damaged one is moved out of the way."""
        if not cell.finished(self.folder):
            return False
        try:
            cell.check(self.folder, self.asked(cell), ranked=self.lists is not None)
        except ResultsError as error:
            self._set_aside(cell, error)
            return False
        return True

    def _set_aside(self, cell: Cell, error: ResultsError | ModelError) -> None:
        aside = cell.set_aside(self.folder)
        self.tell(f"{error.where}: {error.found}; {cell} is worked out again, what was there is now {aside}")

    def one(self, cell: Cell) -> Renewal:
        """Runs one cell; the contender of the cell before it is at hand, or taken up from what that cell wrote."""
        at_hand, self._at_hand = self._at_hand, None  # not to be used again where this cell fails
        contender = at_hand[1] if at_hand and at_hand[0] == self.earlier(cell) else self._before(cell)
        renewal = self._write(cell, contender)
        self._at_hand = cell, contender
        return renewal

    def _write(self, cell: Cell, contender: Contender) -> Renewal:
        renewal = contender.renew(self.learns(cell))
        asks = self.asks(cell)
        with measured() as scoring:
            frames = [self._scored(cell, contender, *next(asks))]
        charged = contender.charge(scoring)
        frames += [self._scored(cell, contender, period, cases) for period, cases in asks]
        ranks = self.lists.ranks(cell.update, contender, cell.contender.kind) if self.lists else None
        n = len(frames[0])
        record = renewal.cost.as_dict() | {
            "score_cpu_seconds": charged.cpu_seconds,
            "score_tokens": charged.tokens_forward,
            "prompt_tokens_per_request": charged.tokens_forward / max(n, 1),
            "forward_passes_per_request": contender.passes,
            "notes": "; ".join(renewal.notes),
        }
        with whole_folder(cell.folder(self.folder), last=COST) as staging:
            pl.concat(frames).write_parquet(staging / TABLE)
            if ranks is not None:
                ranks.write_parquet(staging / LISTS)
            contender.save(staging / CONTENDER)
            (staging / COST).write_text(json.dumps(record))
        return renewal

    def _scored(self, cell: Cell, contender: Contender, period: int, cases: Stream) -> pl.DataFrame:
        # A period without cases is nothing to ask about.
        scores = np.asarray(contender.score(cases) if len(cases) else (), dtype=np.float64)
        if len(scores) != len(cases) or not np.isfinite(scores).all():
            raise ResultsError(
                f"{cell}, period {period}",
                f"{len(scores):,} scores for {len(cases):,} cases, {int((~np.isfinite(scores)).sum())} not finite",
                "one finite log-odds per case",
            )
        period_column = np.full(len(cases), period, np.int32)
        return pl.DataFrame({"period": period_column, "case": self.numbers(cases), "score": scores})

    # -- contenders ----------------------------------------------------------------------------

    def after(self, cell: Cell) -> Contender:
        """The contender as a finished cell left it."""
        contender = self.factory.new(cell)
        contender.load(cell.folder(self.folder) / CONTENDER)
        return contender

    def _before(self, cell: Cell) -> Contender:
        """The contender as it stood before the cell's update; a baseline learns everything anew in each."""
        before, contender = self.earlier(cell), self.factory.new(cell)
        if before is None or cell.contender.kind == "baseline":
            return contender
        try:
            contender.load(before.folder(self.folder) / CONTENDER)
        except ModelError as error:  # its blend is damaged: it is made again, from the cell before that one
            self._set_aside(before, error)
            contender = self._before(before)
            self._write(before, contender)
        return contender

    # -- results -------------------------------------------------------------------------------

    def collect(self) -> list[str]:
        """Writes run.json, cases.parquet, scores.parquet and costs.parquet from the finished cells.

        Gives what is damaged and was left out, in words.
        """
        return collect(self)
