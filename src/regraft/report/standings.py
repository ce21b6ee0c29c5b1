"""The numbers of a run: one `Standing` per contender, and a `Summary` that compares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from regraft.metrics.by_period import Mean, Staleness, harmonic_mean
from regraft.metrics.intervals import Bootstrap, Difference, Interval, holm
from regraft.report.ladder import Place, Step, climb, served
from regraft.report.lists import Lists

LISTED = "ndcg"  # the statistic of lists
STATISTICS = ("auc", "pooled_auc", "uauc", "log_loss", "brier")
ALPHA = 0.05  # of a Holm-adjusted difference
ENOUGH = 3.0  # seed deviations between full-retrain and never for strategies to be ranked
NOT_MEASURED = Mean(float("nan"), 0)


class Spent(NamedTuple):
    """What a contender took: sums over its updates, averaged over seeds; sizes are the largest seen.

    What was not recorded is NaN.
    """

    updates: int
    cpu_seconds: float
    wall_seconds: float
    tokens_forward: float
    tokens_backward: float
    flops: float
    adapter_bytes: float
    cache_bytes: float
    stored_interactions: float
    peak_memory: float  # bytes
    score_cpu_seconds: float
    prompt_tokens_per_request: float
    forward_passes_per_request: float

    @property
    def cpu_per_update(self) -> float:
        return self.cpu_seconds / self.updates

    @property
    def tokens_per_update(self) -> float:
        """Forward and backward."""
        return (self.tokens_forward + self.tokens_backward) / self.updates


class Paired(NamedTuple):
    """A contender minus a reference on the same rows, users and draws."""

    difference: Difference
    p_holm: float  # two-sided, adjusted for the number of contenders compared with the reference

    @property
    def relation(self) -> str:
        """'above', 'below' or 'same' (not distinguishable), after Holm's correction; 'unknown' without an interval."""
        if np.isnan(self.p_holm):
            return "unknown"
        if not self.p_holm < ALPHA:
            return "same"
        return "above" if self.difference.estimate > 0 else "below"


@dataclass(frozen=True)
class Standing:
    """Everything about one contender. Numbers are means over its seeds; intervals speak for users."""

    name: str
    kind: str  # "strategy" or "baseline"
    rung: str  # of the ladder: one of RUNGS
    use: str  # name of the plug-in
    summary: str
    seeds: tuple[int, ...]
    periods: tuple[int, ...]  # tested on
    compared: bool  # False where it lacks periods that others have: its numbers are of other rows
    users: int
    requests: int  # test rows that one seed was scored on
    values: Mapping[str, Interval]  # by name: STATISTICS
    seed_sd: float  # of the mean AUC; NaN with one seed
    ece: float
    ece_floor: float  # what chance alone gives on these rows
    learning: Mean
    retained: Mean
    backward: Mean
    forward: Mean
    forgetting: Mean
    churn: Mean
    staleness: tuple[Staleness, ...]
    spent: Spent | None
    rank: int = 0  # place in the leaderboard, from 1: up the ladder, inside a rung by AUC

    @property
    def auc(self) -> Interval:
        return self.values["auc"]

    @property
    def uauc(self) -> Interval:
        return self.values["uauc"]

    @property
    def ece_excess(self) -> float:
        return self.ece - self.ece_floor

    @property
    def cpu_per_1000(self) -> float:
        """CPU seconds to score 1,000 requests; NaN where it was not recorded."""
        return 1000 * self.spent.score_cpu_seconds / self.requests if self.spent and self.requests else float("nan")

    @property
    def balance(self) -> float:
        """Harmonic mean of learning and retained accuracy."""
        return harmonic_mean(self.learning.value, self.retained.value)

    @property
    def is_llm(self) -> bool:
        return self.kind == "strategy"

    @property
    def moves(self) -> bool:
        """Whether its predictions change from update to update at all."""
        return bool(self.churn.value > 0)


@dataclass(frozen=True)
class Summary:
    """One run in numbers. Frames carry one row per contender and cell, averaged over seeds.

    periods: contender, period, n, auc, low, high. cells: contender, update, period, n, auc (rows never
    trained on). groups: contender, kind, group, n, users, like_rate, auc, low, high, uauc, log_loss.
    curves: contender, predicted, observed, rows (first seed).
    """

    run: Mapping[str, Any]
    cells_done: int
    cells_planned: int
    compared_periods: tuple[int, ...]
    rows: int  # test rows every compared contender was scored on
    users: int
    n_resamples: int
    standings: tuple[Standing, ...]  # up the ladder, inside a rung by AUC; those that cannot be compared last
    seed_sd: float  # pooled over strategies; NaN with one seed
    periods: pl.DataFrame
    cells: pl.DataFrame
    groups: pl.DataFrame
    curves: pl.DataFrame
    has_eval_rows: bool  # whether `cells` are of rows never trained on
    draws: Mapping[str, Bootstrap] = field(repr=False)
    lists: Lists | None = None  # where lists were ranked
    elsewhere: tuple[Place, ...] = ()  # groups in which a rung pays that does not on average

    def __getitem__(self, name: str) -> Standing:
        return next(standing for standing in self.standings if standing.name == name)

    @property
    def finished(self) -> bool:
        return bool(self.run["finished"])

    @property
    def negatives(self) -> str:
        """How negatives were drawn, in words; empty where the log has dislikes."""
        return str(self.run["stream"].get("negatives") or "")

    @cached_property
    def compared(self) -> tuple[Standing, ...]:
        """Contenders scored on the same rows, up the ladder."""
        return tuple(standing for standing in self.standings if standing.compared)

    def best(self, statistic: str = "auc", kind: str | None = None) -> Standing | None:
        """The contender with the highest value; None where there is none."""
        fit = [s for s in self.compared if kind in (None, s.kind) and not np.isnan(s.values[statistic].estimate)]
        return max(fit, key=lambda s: s.values[statistic].estimate, default=None)

    def used(self, plugin: str) -> Standing | None:
        """The compared contender that is this plug-in: the one named like it, else the first."""
        fit = [s for s in self.compared if s.use == plugin]
        return next((s for s in fit if s.name == plugin), fit[0] if fit else None)

    def minus(self, name: str, other: str, statistic: str = "auc") -> Difference:
        """One contender minus another, paired; "ndcg" compares their lists."""
        if statistic == LISTED and self.lists is not None:
            return self.lists.minus(name, other)
        return self.draws[name].minus(self.draws[other], statistic)

    def against(self, reference: str, statistic: str = "auc") -> dict[str, Paired]:
        """Every other compared contender minus the reference, with Holm's correction over them."""
        names = [s.name for s in self.compared if statistic != LISTED or self._ranked(s.name)]
        others = [name for name in names if name != reference]
        gaps = [self.minus(name, reference, statistic) for name in others]
        adjusted = holm([gap.p for gap in gaps]).tolist()
        return {name: Paired(gap, p) for name, gap, p in zip(others, gaps, adjusted, strict=True)}

    @property
    def judged_by(self) -> str:
        """What rungs are compared by: "ndcg" where negatives were drawn and lists ranked, else "auc"."""
        return LISTED if self.negatives and any(self._ranked(s.name) for s in self.compared) else "auc"

    @property
    def measure(self) -> str:
        """Its name, as it is written."""
        return f"NDCG@{self.lists.k}" if self.lists and self.judged_by == LISTED else "AUC"

    def worth(self, standing: Standing) -> Interval | None:
        """The contender's value in that measure; None where it was not ranked."""
        if self.judged_by == "auc":
            return standing.auc
        assert self.lists is not None
        return self.lists.places[standing.name]["retrieved"].ndcg if self._ranked(standing.name) else None

    def _ranked(self, name: str) -> bool:
        return self.lists is not None and "retrieved" in self.lists.places.get(name, {})

    @cached_property
    def ladder(self) -> tuple[Step, ...]:
        """The best contender of every rung and whether the rung pays, from the lowest on."""
        return climb(self)

    @cached_property
    def served(self) -> Step | None:
        """The last rung that pays; None where nothing was compared."""
        return served(self.ladder)

    def few_users(self, statistic: str = "auc") -> int | None:
        """The users behind a statistic where they are too few for an interval; None where they are enough."""
        return self.draws[self.compared[0].name].few(statistic) if self.compared else None

    @cached_property
    def best_baseline(self) -> Standing | None:
        return self.best(kind="baseline")

    @cached_property
    def best_llm(self) -> Standing | None:
        return self.best(kind="strategy")

    @cached_property
    def vs_baseline(self) -> dict[str, dict[str, Paired]]:
        """By statistic (auc, uauc) and contender: difference from the best baseline."""
        return self._versus(self.best_baseline)

    @cached_property
    def vs_full(self) -> dict[str, dict[str, Paired]]:
        """By statistic (auc, uauc) and contender: difference from full-retrain."""
        return self._versus(self.used("full-retrain"))

    def _versus(self, reference: Standing | None) -> dict[str, dict[str, Paired]]:
        return {
            statistic: self.against(reference.name, statistic) if reference else {} for statistic in ("auc", "uauc")
        }

    @cached_property
    def gap(self) -> Difference | None:
        """AUC of full-retrain minus never: what updating is worth on this stream at most, roughly."""
        full, never = self.used("full-retrain"), self.used("never")
        return self.minus(full.name, never.name) if full and never else None

    @property
    def can_rank(self) -> bool | None:
        """Whether that gap is at least ENOUGH seed deviations; None where it is unknown: see `why_unknown`."""
        if self.why_unknown:
            return None
        assert self.gap is not None
        return self.gap.estimate != 0 and abs(self.gap.estimate) >= ENOUGH * self.seed_sd

    @property
    def why_unknown(self) -> str:
        """'missing' (never or full-retrain was not run), 'few users', 'one seed', or '' where it can be judged."""
        if self.gap is None or np.isnan(self.gap.estimate):
            return "missing"
        if self.few_users() is not None:
            return "few users"
        return "one seed" if np.isnan(self.seed_sd) else ""
