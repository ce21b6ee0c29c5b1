"""The prequential run: every contender is renewed when a period closes and tested on the next one.

A cell is one contender, seed and update. It is written whole or not at all, so a killed run goes on
where it stopped and ends with the same results. Nothing is handed to a contender but views that end at
the cut, and cases; no case is dropped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft.arena.claim import claim
from regraft.arena.collect import BASE, collect
from regraft.cost import Cost, Renewal, measured
from regraft.data.regimes import Regime
from regraft.data.source import open_stream
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError, ResultsError
from regraft.files import put_in_place, staging_for, whole
from regraft.prompts.facts import fact_table
from regraft.prompts.template import Template
from regraft.setup.config import ArenaConfig, ContenderOptions, plugin

RUNS = Path("runs")  # where runs go that were given no folder
COST = "cost.json"  # a cell's last file: it is there, so all of the cell is


@dataclass(frozen=True)
class Cell:
    """One contender after one update."""

    contender: ContenderOptions
    seed: int
    update: int

    def __str__(self) -> str:
        return f"{self.contender.label}, seed {self.seed}, update {self.update}"

    def folder(self, run: Path) -> Path:
        return run / "cells" / self.contender.label / f"seed-{self.seed}" / f"{self.update:03d}"

    def finished(self, run: Path) -> bool:
        return (self.folder(run) / COST).is_file()

    def cost(self, run: Path) -> dict[str, Any]:
        """What it took, as it was written down when it was finished."""
        return dict(json.loads((self.folder(run) / COST).read_text()))

    @property
    def before(self) -> Cell:
        return replace(self, update=self.update - 1)


class Arena:
    """One run in one folder. `run()` yields each cell as it is finished."""

    def __init__(self, config: ArenaConfig, folder: Path, stream: Stream | None = None) -> None:
        self.config, self.folder = config, folder
        self.stream = open_stream(config.data) if stream is None else stream
        self.regime = Regime.parse(config.regime)
        self.template = Template.load(config.template)
        self.templates = {c.label: Template.load(c.template or config.template) for c in config.contenders}
        n = self.stream.n_periods
        self.first = config.first_update or n // 2
        self.last = config.last_update or n - 1
        if not 1 <= self.first <= self.last < n:
            raise ConfigError(
                "first_update and last_update", f"{self.first} to {self.last} of {n} periods", f"1 to {n - 1}, in order"
            )
        self.base: dict[str, Any] | None = None  # the base model in words, once it is opened
        self.machine: dict[str, Any] | None = None  # what the work is done on, where it is not done here
        self._workshops: dict[str, Any] = {}  # by template
        self._at_hand: tuple[Cell, Any] | None = None  # the contender as the last cell left it
        self.stream.order  # noqa: B018 - worked out once, views take their part of it
        # The whole table at once: a view gets its first rows, which is what it would compute itself.
        fact_table(self.stream, self.regime, config.refresh)
        if self.regime.name != "fresh" or config.refresh != "event":
            fact_table(self.stream, self.regime)

    # -- what there is to do -------------------------------------------------------------------

    @property
    def updates(self) -> range:
        return range(self.first, self.last + 1)

    def cells(self) -> list[Cell]:
        """In the order they run: one whole seed after the other, contenders inside, updates in time order."""
        return [
            Cell(contender, seed, update)
            for seed in self.config.seeds
            for contender in self.config.contenders
            if contender.kind == "strategy" or seed == self.config.seeds[0]
            for update in self.updates
        ]

    @cached_property
    def eval_rows(self) -> np.ndarray:
        """bool per row of the stream: examples that nothing is ever trained on.

        Whole runs of a user's events are drawn, not single rows: runs share one history when they are scored.
        """
        stream = self.stream
        run = stream.order.index // self.config.timeline.targets
        group = stream.user.astype(np.uint64) * np.uint64(2**32) + run.astype(np.uint64)
        mixed = (group + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        return (mixed * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(11)).astype(
            np.float64
        ) / 2.0**53 < self.config.eval_share

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

    @cached_property
    def workshop(self) -> Any:
        """Base model, encoder and kept results; built (or loaded) when the first strategy needs it."""
        from regraft.setup.base import in_words, open_workshop

        workshop = open_workshop(self.config, self.stream, self.template, self.regime, self.folder)
        self.base = in_words(workshop.base)
        if self.folder.is_dir():  # a run that is killed and goes on may never open it again
            whole(self.folder / BASE, lambda part: part.write_text(json.dumps(self.base)))
        return workshop

    def workshop_of(self, contender: ContenderOptions) -> Any:
        """The same workbench, with another encoder for a contender whose template is another."""
        template = self.templates[contender.label]
        if template.hash not in self._workshops:
            self._workshops[template.hash] = (
                self.workshop if template.hash == self.template.hash else self.workshop.reading(template)
            )
        return self._workshops[template.hash]

    # -- running -------------------------------------------------------------------------------

    def claim(self) -> None:
        """Makes the folder this run's; refuses one that holds another run."""
        own = {c.label: self.templates[c.label].hash for c in self.config.contenders if c.template}
        claim(self.folder, self.config, self.stream.fingerprint, self.template.hash, own)

    def preflight(self) -> list[str]:
        """Opens the base model that a configuration names, where an unfinished cell needs it.

        Returns what there is to know of it, in words. Raises ModelError where it cannot be loaded or adapted.
        """
        needed = any(c.contender.kind == "strategy" and not c.finished(self.folder) for c in self.cells())
        return list(self.workshop.base.notes) if needed and self.config.base.path else []

    def run(self, budget: float | None = None) -> Iterator[tuple[Cell, Renewal | None]]:
        """Yields (cell, renewal), None for cells that were there. Stops after `budget` seconds."""
        self.claim()
        self.preflight()  # no cell is begun with a base model that fails later
        began = time.monotonic()
        for cell in self.cells():
            if cell.finished(self.folder):
                yield cell, None
            elif budget is not None and time.monotonic() - began > budget:
                break
            else:
                yield cell, self.one(cell)
        self.collect()

    def one(self, cell: Cell) -> Renewal:
        """Runs one cell; the contender of the cell before it is at hand, or taken up from what that cell wrote."""
        at_hand, self._at_hand = self._at_hand, None  # not to be used again where this cell fails
        contender = at_hand[1] if at_hand and at_hand[0] == cell.before else self._before(cell)
        renewal = self._write(cell, contender)
        self._at_hand = cell, contender
        return renewal

    def _write(self, cell: Cell, contender: Any) -> Renewal:
        renewal: Renewal = contender.renew(self.past(cell.update))
        folder = cell.folder(self.folder)
        staging = staging_for(folder)
        staging.mkdir(parents=True)
        frames = []
        with measured() as scoring:
            frames.append(self._scored(contender, self.stream.cases(cell.update + 1), cell.update + 1))
        charged = self._charged(contender, scoring)
        for period in range(1, self.stream.n_periods + 1):
            if period != cell.update + 1 and self.config.eval_share:
                cases = self.stream.cases(period)
                cases = cases.only(self.eval_rows[cases.targets])
                if len(cases):
                    frames.append(self._scored(contender, cases, period))
        pl.concat(frames).write_parquet(staging / "scores.parquet")
        if hasattr(contender, "save"):
            contender.save(staging / "blend")
        n = len(frames[0])
        blend = getattr(contender, "blend", None)
        record = renewal.cost.as_dict() | {
            "score_cpu_seconds": charged.cpu_seconds,
            "score_tokens": charged.tokens_forward,
            "prompt_tokens_per_request": charged.tokens_forward / max(n, 1),
            "forward_passes_per_request": blend.passes if blend else 0,
            "notes": "; ".join(renewal.notes),
        }
        (staging / COST).write_text(json.dumps(record))
        put_in_place(staging, folder, COST)
        return renewal

    def _scored(self, contender: Any, cases: Stream, period: int) -> pl.DataFrame:
        # A period without cases is nothing to ask about.
        scores = np.asarray(contender.score(cases) if len(cases) else (), dtype=np.float64)
        if len(scores) != len(cases) or not np.isfinite(scores).all():
            raise ResultsError(
                f"contender {type(contender).__name__}, period {period}",
                f"{len(scores):,} scores for {len(cases):,} cases, {int((~np.isfinite(scores)).sum())} not finite",
                "one finite log-odds per case",
            )
        return pl.DataFrame({"period": np.full(len(cases), period, np.int32), "case": cases.targets, "score": scores})

    def _charged(self, contender: Any, scoring: Cost) -> Cost:
        """What scoring takes: a lab charges in full for scores it had kept, a baseline takes what it took."""
        lab = getattr(contender, "lab", None)
        return lab.meter.reset() if lab else scoring

    # -- contenders ----------------------------------------------------------------------------

    def after(self, cell: Cell) -> Any:
        """The contender as a finished cell left it; a baseline learns again what it had learnt."""
        contender = self._new(cell)
        if cell.contender.kind == "baseline":
            contender.renew(self.past(cell.update))
        else:
            contender.load(cell.folder(self.folder) / "blend", self.past(cell.update))
        return contender

    def _before(self, cell: Cell) -> Any:
        """The contender as it stood before the cell's update; a baseline learns everything anew in each."""
        goes_on = cell.contender.kind == "strategy" and cell.update > self.first
        return self.after(cell.before) if goes_on else self._new(cell)

    def _new(self, cell: Cell) -> Any:
        if cell.contender.kind == "baseline":
            return plugin(cell.contender)(self.regime, cell.seed, **cell.contender.settings)
        workshop = self.workshop_of(cell.contender)  # first: it says what to install where PyTorch is missing
        from regraft.lm.lab import Lab
        from regraft.strategies.contender import StrategyContender

        return StrategyContender(plugin(cell.contender), Lab(workshop, cell.seed), cell.contender.calibration)

    # -- results -------------------------------------------------------------------------------

    def collect(self) -> None:
        """Writes run.json, cases.parquet, scores.parquet and costs.parquet from the finished cells."""
        collect(self)


def open_arena(config: Path, folder: Path | None = None) -> tuple[Arena, float]:
    """The arena that a configuration file describes, and the seconds it took to read its log.

    `folder` defaults to runs/NAME.
    """
    began = time.perf_counter()
    read = ArenaConfig.read(config)
    return Arena(read, folder or RUNS / (Path(read.name).name or "arena")), time.perf_counter() - began
