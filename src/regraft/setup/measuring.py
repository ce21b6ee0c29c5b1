"""What a site measures and what things cost: the sections `measures` and `prices` of regraft.yaml."""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator

from regraft.data.labels import LabelRule

RATING = "rating"  # the event whose value is one


class MeasureOptions(BaseModel):
    """Which events mean what; a rule is written like a label: `event == "purchase"`, `rating >= 4`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    click: str | None = Field(None, description='None: the label, where it is about events, else event == "click"')
    conversion: str = Field('event == "purchase"', description="what a list should lead to in the end")
    satisfied: tuple[str, ...] = Field(
        ("rating >= 4",), description="any of these rules; ratings are of the event rating"
    )
    dissatisfied: tuple[str, ...] = Field(
        ("rating <= 2", 'event == "return"', 'event == "complaint"'), description="any of these rules"
    )
    worth: dict[str, float | Literal["value"]] = Field(
        default_factory=dict,
        description="what an event earns, or `value`: its value; empty: every day with activity counts 1",
    )
    quiet: int = Field(14, ge=1, le=28, description="days of silence after which a person counts as gone")

    @field_validator("click", "conversion", "satisfied", "dissatisfied")
    @classmethod
    def _readable(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for rule in (value,) if isinstance(value, str) else value or ():
            LabelRule(rule)
        return value

    def clicked(self, label: str) -> pl.Expr:
        """bool per row, for a site with this label rule."""
        rule = self.click or (label if LabelRule(label).about_events else 'event == "click"')
        return _meets((rule,))

    def converted(self) -> pl.Expr:
        return _meets((self.conversion,))

    def pleased(self) -> pl.Expr:
        return _meets(self.satisfied)

    def displeased(self) -> pl.Expr:
        return _meets(self.dissatisfied)

    def earned(self) -> pl.Expr:
        """float per row; 0 where an event earns nothing."""
        found = pl.lit(0.0)
        for event, worth in self.worth.items():
            amount = pl.col("value").fill_null(0.0) if worth == "value" else pl.lit(float(worth))
            found = pl.when(pl.col("event") == event).then(amount).otherwise(found)
        return found


class PriceOptions(BaseModel):
    """What a machine's time and room cost, and what an event earns is under `measures.worth`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="ISO 4217 code")
    update_hour: float = Field(0.10, ge=0, description="an hour of the machine that updates")
    serving_hour: float = Field(0.10, ge=0, description="an hour of the machine that serves")
    storage_gb_month: float = Field(0.02, ge=0, description="a gigabyte (10^9 bytes) kept for 30 days")
    click: float = Field(0.0, ge=0, description="margin that one more click is worth")
    lift: float = Field(
        0.01, ge=0, description="share of clicks that 0.01 more AUC brings: an assumption, until a pilot has said it"
    )


def _meets(rules: tuple[str, ...]) -> pl.Expr:
    """Whether a row meets one of the rules; a rule about values speaks of ratings alone."""
    met = pl.lit(False)
    for text in rules:
        rule = LabelRule(text)
        own = rule.expression() == 1
        met = met | (own if rule.about_events else own & (pl.col("event") == RATING)).fill_null(False)
    return met
