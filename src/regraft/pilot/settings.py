"""What is fixed before a pilot begins: its metrics, margins, size and the errors it may make."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LEAST = 200  # users per arm before anything is said: the interval is asymptotic


class Plan(BaseModel):
    """The plan of a pilot. Lift and margins are shares of the control arm's value: 0.02 is 2 %."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    primary: str  # the metric that decides
    minimum_lift: float = Field(gt=0)  # the smallest lift of the primary metric worth rolling out
    guardrails: dict[str, float] = Field(default_factory=dict)  # metric: the most that may be lost, 0 or more
    others: tuple[str, ...] = ()  # metrics that are shown, corrected for how many they are, and decide nothing
    lower_is_better: tuple[str, ...] = ()  # any of the metrics above, e.g. complaints
    segments: tuple[str, ...] = ()  # values of the column `segment` that are looked at; fixed in advance
    n: int = Field(ge=LEAST)  # planned users per arm
    weeks: int = Field(ge=1)  # whole weeks in which users enter
    window_days: int = Field(7, ge=1)  # a user's value is what happened in so many days since exposure
    alpha: float = Field(0.05, gt=0, lt=0.5)  # chance of a false alarm, however often one looks
    power: float = Field(0.8, gt=0.5, lt=1)  # chance to see the minimum lift at the planned n
    correction: Literal["holm", "fdr"] = "holm"  # over the other metrics and all segments

    @model_validator(mode="after")
    def _check(self) -> Plan:
        if twice := sorted({name for name in self.metrics if self.metrics.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} has two roles; a metric is primary, a guardrail or one of the others")
        if unknown := sorted(set(self.lower_is_better) - set(self.metrics)):
            raise ValueError(f"lower_is_better: {', '.join(unknown)} is not a metric of this plan")
        if negative := sorted(name for name, margin in self.guardrails.items() if not 0 <= margin < 1):
            raise ValueError(f"guardrails: the margin of {', '.join(negative)} is not a share from 0 to 1")
        return self

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics: the primary one, guardrails, others."""
        return (self.primary, *self.guardrails, *self.others)

    def role(self, metric: str) -> str:
        """primary, guardrail or other."""
        return "primary" if metric == self.primary else "guardrail" if metric in self.guardrails else "other"

    def sign(self, metric: str) -> int:
        """1 where more is better, -1 where less is."""
        return -1 if metric in self.lower_is_better else 1
