"""What each setting of a grid was worth and what it took, read from the finished cells of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from regraft.arena.cell import CONTENDER, Cell
from regraft.arena.tune import Tuning
from regraft.arena.tune_grid import Setting
from regraft.metrics.intervals import Bootstrap, Difference
from regraft.metrics.parts import auc_of_parts

DRAWS = 1000  # resamples of users
BLEND = "blend"  # folder of it in a saved strategy
EARLIER, LATER, ALL_PERIODS = "earlier", "later", "all"


@dataclass(frozen=True)
class Cost:
    """Per tested period. `seconds` are those of renewal: CPU seconds, or wall seconds on a GPU."""

    seconds: float
    rows_kept: int  # when the last tested period began
    storage: int  # bytes: those rows as a table in memory, and the model's files
    persons_kept: int  # people whose rows those are
    persons_in_model: int  # people whose rows the model in service, or one it goes on from, has learnt from
    persons_exposed: int  # either of the two


@dataclass(frozen=True)
class Measured:
    """One setting: AUC by the part of the periods, `forgetting` the AUC that the last model lost on old rows."""

    setting: Setting
    rung: str
    quality: Bootstrap
    forgetting: Difference
    cost: Cost


def measured(tuning: Tuning) -> tuple[list[Measured], list[Setting]]:
    """(the settings all of whose cells are there, those that wait for some)."""
    found, waiting = [], []
    for setting in tuning.settings:
        cells = [tuning.cell_of(setting, period, seed) for period in tuning.tested for seed in tuning.config.seeds]
        if all(cell.finished(tuning.folder) for cell in cells):
            found.append(_Reader(tuning, setting).measured)
        else:
            waiting.append(setting)
    return found, waiting


@dataclass(frozen=True)
class _Reader:
    tuning: Tuning
    setting: Setting

    @property
    def measured(self) -> Measured:
        t, seeds = self.tuning, self.tuning.config.seeds
        parts = {EARLIER: t.chosen_on, LATER: t.tested[len(t.chosen_on) :], ALL_PERIODS: t.tested}
        quality = _mean([self._auc(self._served(t.tested, seed), parts) for seed in seeds])
        rung = t.rungs[t.line_of(self.setting).options.label]
        return Measured(self.setting, rung, quality, self._forgetting(), self._cost())

    # -- scores ----------------------------------------------------------------------------------

    def _served(self, periods: Sequence[int], seed: int) -> pl.DataFrame:
        """Scores of the periods' cases by the models that served them."""
        cells = ((p, self.tuning.cell_of(self.setting, p, seed)) for p in periods)
        return pl.concat([c.scores(self.tuning.folder).filter(pl.col("period") == p).sort("case") for p, c in cells])

    def _auc(self, frame: pl.DataFrame, parts: Mapping[str, Sequence[int]]) -> Bootstrap:
        stream, case = self.tuning.stream, frame["case"].to_numpy()
        scores, periods = frame["score"].to_numpy(), frame["period"].to_numpy()
        return auc_of_parts(stream.label[case], scores, stream.user[case], periods, parts, DRAWS)

    def _forgetting(self) -> Difference:
        """AUC on rows that nothing is trained on: as they were scored when served, minus by the last model."""
        t, then, now = self.tuning, [], []
        old = [p for p in t.tested if p <= t.updates_of(self.setting.every)[-1]]
        if not old or not t.config.eval_share:
            return NOTHING
        for seed in t.config.seeds:
            served = self._served(old, seed)
            then.append(self._auc(served.filter(t.eval_rows[served["case"].to_numpy()]), {ALL_PERIODS: old}))
            again = self._last(seed).scores(t.folder).filter(pl.col("period") <= old[-1])
            now.append(self._auc(again.sort("period", "case"), {ALL_PERIODS: old}))
        return _mean(then).minus(_mean(now), ALL_PERIODS)

    def _last(self, seed: int) -> Cell:
        return self.tuning.cell_of(self.setting, self.tuning.tested[-1], seed)

    # -- what it takes ---------------------------------------------------------------------------

    def _cost(self) -> Cost:
        t, period = self.tuning, self.tuning.tested[-1]
        updates = t.updates_of(self.setting.every)
        last = self._last(t.config.seeds[0])
        seeds = t.config.seeds if last.contender.kind == "strategy" else t.config.seeds[:1]
        taken = [Cell(last.contender, seed, update).cost(t.folder)[self._unit] for seed in seeds for update in updates]
        rows = self._rows(period, period)
        learnt = self._rows(t.first + 1 if self._goes_on(last) else last.update + 1, last.update + 1)
        if self._base_of_log:
            learnt = learnt | (t.stream.period == 0)
        files = [f for f in (last.folder(t.folder) / CONTENDER).rglob("*") if f.is_file()]
        return Cost(
            seconds=sum(taken) / len(seeds) / len(t.tested),
            rows_kept=int((rows & t.stream.happened).sum()),
            storage=round(rows.mean() * self._table_bytes) + sum(f.stat().st_size for f in files),
            persons_kept=_people(t, rows),
            persons_in_model=_people(t, learnt),
            persons_exposed=_people(t, rows | learnt),
        )

    def _rows(self, first: int, last: int) -> np.ndarray:
        """bool per row: those that were kept when period `first` or a later one up to `last` began."""
        stream, seen = self.tuning.stream, len(self.tuning.stream.until(last).time)
        return (np.arange(len(stream.time)) < seen) & (stream.time >= self.tuning.since(self.setting.days, first))

    def _goes_on(self, cell: Cell) -> bool:
        """Whether the cell's model still holds what earlier ones had learnt: all but those trained from scratch."""
        if cell.contender.kind == "baseline":
            return False
        from regraft.lm.blend import Blend  # baselines alone do without the extra `lm`

        blend = Blend.load(cell.folder(self.tuning.folder) / CONTENDER / BLEND)
        adapters = [a for a, _ in blend.parts if a is not None] + list(blend.kept.values())
        fresh = {"parents": [], "until": cell.update}
        return not adapters or any(_origin(adapter.lineage) != fresh for adapter in adapters)

    @property
    def _base_of_log(self) -> bool:
        """Whether the base model was built from the log's own warm-up."""
        kind = self.tuning.line_of(self.setting).options.kind
        return kind == "strategy" and self.tuning.config.base.path is None

    @property
    def _unit(self) -> str:
        kind, device = self.tuning.line_of(self.setting).options.kind, self.tuning.config.base.device
        return "wall_seconds" if kind == "strategy" and device != "cpu" else "cpu_seconds"

    @cached_property
    def _table_bytes(self) -> int:
        stream = self.tuning.stream
        names = {"user": stream.user_ids.gather(stream.user), "item": stream.items["item_id"].gather(stream.item)}
        return int(pl.DataFrame({**names, "time": stream.time, "label": stream.label}).estimated_size())


def _origin(lineage: Mapping[str, Any]) -> dict[str, Any]:
    """From which adapters and up to which period an adapter was trained; a merged one names neither."""
    return {"parents": lineage.get("parents"), "until": (lineage.get("periods") or [None])[-1]}


def _people(tuning: Tuning, rows: np.ndarray) -> int:
    return len(np.unique(tuning.stream.user[rows]))


NOTHING = Difference(*(float("nan"),) * 4, 0)


def _mean(seeds: Sequence[Bootstrap]) -> Bootstrap:
    """The mean over seeds, draw by draw: the same users were drawn for all of them."""
    first = seeds[0]
    values = {name: np.mean([one.values[name] for one in seeds], axis=0) for name in first.values}
    return Bootstrap(values, first.rows, first.drawn_from, first.users)
