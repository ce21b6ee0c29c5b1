"""The prequential run: every contender is renewed when a period closes and tested on the next one.

A cell is one contender, seed and update. It is written whole or not at all, so a killed run goes on
where it stopped and ends with the same results. Nothing is handed to a contender but views that end at
the cut, and cases; no case is dropped.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft.arena.config import ArenaConfig, ContenderOptions, plugin
from regraft.arena.folder import claim, whole
from regraft.cost import Cost, Renewal, measured
from regraft.data.regimes import Regime
from regraft.data.source import open_stream
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError, ResultsError
from regraft.lm.staging import staging_for
from regraft.metrics.groups import item_groups, user_groups
from regraft.plugins import plugins
from regraft.prompts.facts import fact_table
from regraft.prompts.template import Template

DORMANT = 2  # periods without an event after which a user counts as dormant


@dataclass(frozen=True)
class Cell:
    """One contender after one update."""

    contender: ContenderOptions
    seed: int
    update: int

    def folder(self, run: Path) -> Path:
        return run / "cells" / self.contender.label / f"seed-{self.seed}" / f"{self.update:03d}"


class Arena:
    """One run in one folder. `run()` yields each cell as it is finished."""

    def __init__(self, config: ArenaConfig, folder: Path, stream: Stream | None = None) -> None:
        self.config, self.folder = config, folder
        self.stream = open_stream(config.data) if stream is None else stream
        self.regime = Regime.parse(config.regime)
        self.template = Template.load(config.template)
        n = self.stream.n_periods
        self.first = config.first_update or n // 2
        self.last = config.last_update or n - 1
        if not 1 <= self.first <= self.last < n:
            raise ConfigError(
                "first_update and last_update", f"{self.first} to {self.last} of {n} periods", f"1 to {n - 1}, in order"
            )
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
    def slice(self) -> np.ndarray:
        """bool per row of the stream: examples that nothing is ever trained on.

        Whole runs of a user's events are drawn, not single rows: runs share one history when they are scored.
        """
        stream = self.stream
        run = stream.order.index // self.config.timeline.targets
        group = stream.user.astype(np.uint64) * np.uint64(2**32) + run.astype(np.uint64)
        mixed = (group + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        return (mixed * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(11)).astype(np.float64) / 2.0**53 < self.config.slice

    def past(self, update: int) -> Stream:
        """What the update at the close of period `update` learns from."""
        view = self.stream.until(update + 1)
        past = view.only(~self.slice[view.targets])
        if not len(past):
            raise DataError(
                f"update {update}", "there is no example before its cut", "examples to learn from",
                "Set first_update to a later period",
            )  # fmt: skip
        return past

    @cached_property
    def workshop(self) -> Any:
        """Base model, encoder and kept results; built (or loaded) when the first strategy needs it."""
        from regraft.arena.base import open_workshop

        return open_workshop(self.config, self.stream, self.template, self.regime, self.folder)

    # -- running -------------------------------------------------------------------------------

    def run(self, budget: float | None = None) -> Iterator[tuple[Cell, Renewal | None]]:
        """Yields (cell, renewal), None for cells that were there. Stops after `budget` seconds."""
        claim(self.folder, self.config, self.stream.fingerprint, self.template.hash)
        began = time.monotonic()
        contender, renewed = None, None
        for cell in self.cells():
            folder = cell.folder(self.folder)
            if (folder / "cost.json").is_file():
                yield cell, None
                continue
            if budget is not None and time.monotonic() - began > budget:
                break
            chain = (cell.contender, cell.seed)
            if contender is None or renewed != (*chain, cell.update - 1):
                contender = self._contender(cell)
            yield cell, self._one(cell, contender, folder)
            renewed = (*chain, cell.update)
        self.collect()

    def _one(self, cell: Cell, contender: Any, folder: Path) -> Renewal:
        renewal = contender.renew(self.past(cell.update))
        staging = staging_for(folder)
        staging.mkdir(parents=True)
        frames = []
        with measured() as scoring:
            frames.append(self._scored(contender, self.stream.cases(cell.update + 1), cell.update + 1))
        charged = self._charged(contender, scoring)
        for period in range(1, self.stream.n_periods + 1):
            if period != cell.update + 1 and self.config.slice:
                cases = self.stream.cases(period)
                cases = cases.only(self.slice[cases.targets])
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
        (staging / "cost.json").write_text(json.dumps(record))
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
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

    def _contender(self, cell: Cell) -> Any:
        """The contender as it stood before this cell's update."""
        if cell.contender.kind == "baseline":
            return plugin(cell.contender)(self.regime, cell.seed, **cell.contender.settings)
        workshop = self.workshop  # first: it says what to install where PyTorch is missing
        from regraft.lm.lab import Lab
        from regraft.strategies.contender import StrategyContender

        contender = StrategyContender(plugin(cell.contender), Lab(workshop, cell.seed), cell.contender.calibration)
        if cell.update > self.first:
            before = Cell(cell.contender, cell.seed, cell.update - 1)
            contender.load(before.folder(self.folder) / "blend", self.past(before.update))
        return contender

    # -- results -------------------------------------------------------------------------------

    def collect(self) -> None:
        """Writes run.json, cases.parquet, scores.parquet and costs.parquet from the finished cells."""
        scores, costs = [], []
        cells = self.cells()
        finished = 0
        for cell in cells:
            folder = cell.folder(self.folder)
            if not (folder / "cost.json").is_file():
                continue
            finished += 1
            named = [pl.lit(cell.contender.label).alias("contender"), pl.lit(cell.seed, pl.Int32).alias("seed")]
            named.append(pl.lit(cell.update, pl.Int32).alias("update"))
            scores.append(pl.read_parquet(folder / "scores.parquet").select(*named, "period", "case", "score"))
            record = json.loads((folder / "cost.json").read_text())
            costs.append({"contender": cell.contender.label, "seed": cell.seed, "update": cell.update, **record})
        if scores:
            whole(self.folder / "scores.parquet", pl.concat(scores).write_parquet)
            whole(self.folder / "costs.parquet", pl.DataFrame(costs, infer_schema_length=None).write_parquet)
        whole(self.folder / "cases.parquet", self._cases().write_parquet)
        described = json.dumps(self._described(finished == len(cells)), indent=2, ensure_ascii=False, default=str)
        whole(self.folder / "run.json", lambda part: part.write_text(described))

    def _cases(self) -> pl.DataFrame:
        """Every example with the groups it belongs to, as of its own period's cut."""
        frames = []
        known = self.stream.order.known(self.stream.user, self.regime.known(self.stream))
        for period in range(1, self.stream.n_periods + 1):
            cases, past = self.stream.cases(period), self.stream.until(period)
            rows = cases.targets
            real = past.happened
            frames.append(
                pl.DataFrame(
                    {
                        "case": rows,
                        "period": np.full(len(rows), period, np.int32),
                        "user": cases.users.astype(np.int32),
                        "item": cases.item[rows].astype(np.int32),
                        "user_id": cases.user_ids.gather(cases.users),
                        "item_id": cases.items["item_id"].gather(cases.item[rows]),
                        "label": cases.labels.astype(np.int8),
                        "slice": self.slice[rows],
                        "user_group": user_groups(cases.users, past.user[real], past.period[real], period - 1, DORMANT),
                        "item_group": item_groups(cases.item[rows], past.item[real], past.period[real], period - 1),
                        "history": known[rows].astype(np.int32),
                    }
                )
            )
        return pl.concat(frames)

    def _described(self, finished: bool) -> dict[str, Any]:
        stream, config = self.stream, self.config
        summaries = {p.name: p.summary for kind in ("strategies", "baselines") for p in plugins(kind)}
        base = None
        if any(c.kind == "strategy" for c in config.contenders) and "workshop" in self.__dict__:
            model = self.workshop.base
            base = {
                "path": Path(model.path).name, "hash": model.hash, "objective": model.objective,
                "parameters": model.parameters, "dtype": str(model.dtype).removeprefix("torch."),
            }  # fmt: skip
        return {
            "name": config.name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "finished": finished,
            "config": json.loads(config.model_dump_json(exclude={"data": {"path"}})),
            "stream": {
                "describe": stream.describe(), "n_periods": stream.n_periods, "cuts": list(stream.cuts),
                "rows": len(stream.time), "examples": len(stream), "users": len(np.unique(stream.users)),
                "items": len(np.unique(stream.item[stream.targets])), "share": config.data.share,
                "information": config.data.information, "regime": str(self.regime), "fingerprint": stream.fingerprint,
            },
            "base": base or self._earlier("base"),
            "template": {"name": self.template.name, "hash": self.template.hash},
            "timeline": [config.timeline.context, config.timeline.targets],
            "seeds": list(config.seeds),
            "contenders": [{"name": c.label, "kind": c.kind, "summary": summaries[c.use]} for c in config.contenders],
            "scored_periods": [u + 1 for u in self.updates],
            "updates": list(self.updates),
            "versions": versions(),
            "machine": machine(),
        }  # fmt: skip

    def _earlier(self, key: str) -> Any:
        path = self.folder / "run.json"
        return json.loads(path.read_text()).get(key) if path.is_file() else None


def versions() -> dict[str, str]:
    """Versions of what results depend on."""
    found = {"python": platform.python_version()}
    for package in ("regraft", "torch", "transformers", "peft", "polars", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) for line in _lines(Path("/proc/meminfo")) if line.startswith("MemTotal")), 0)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**20, 1),
        "platform": platform.platform(),
    }


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
