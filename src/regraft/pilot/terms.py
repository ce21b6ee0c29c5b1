"""What a pilot is about: the challenger, what each arm learns from, and the plan of its statistics.

`PilotOptions` is the section `pilot` of regraft.yaml, from which the next pilot is planned; `Terms` are those of one
pilot, written down when it was planned.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regraft.data.labels import LabelRule
from regraft.errors import ConfigError, DataError
from regraft.pilot.power import Design, design, sees
from regraft.pilot.settings import LEAST, Plan
from regraft.pilot.windows import DAY, METRICS, SEGMENTS, labelled, of_the_past, people
from regraft.setup.config import explained
from regraft.setup.site import Site
from regraft.state.database import transaction

WEEK = 7 * DAY
MOST_PAST = 8  # weeks of entering users that a plan looks back


class PilotOptions(BaseModel):
    """Settings of the next pilot. Lift and margins are shares of the control arm's value: 0.02 is 2 %."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    primary: str = Field("clicks", description="the metric that decides: " + ", ".join(METRICS))
    minimum_lift: float = Field(0.05, gt=0, description="smallest lift of it that is worth rolling out")
    guardrails: dict[str, float] = Field(
        {"returned": 0.05, "active_days": 0.05}, description="metric: most it may lose"
    )
    others: tuple[str, ...] = Field(("ctr",), description="metrics that are shown and decide nothing")
    segments: tuple[str, ...] = Field(SEGMENTS, description="groups that are looked at, fixed in advance")
    slice: Literal["own", "control-only", "shared"] = Field(
        "own", description="what each arm learns from: its own people, those of the control, or everybody"
    )
    window_days: int = Field(7, ge=1, le=28, description="for so many days since exposure everybody is followed")
    most_weeks: int = Field(12, ge=1, le=52, description="longest pilot that a plan considers")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="chance of a false alarm, however often one looks")
    power: float = Field(0.8, gt=0.5, lt=1, description="chance to see the minimum lift at the planned size")
    correction: Literal["holm", "fdr"] = Field("holm", description="over the other metrics and all segments")

    @classmethod
    def of(cls, site: Site, **changed: Any) -> PilotOptions:
        """Those of regraft.yaml, some of them changed; ConfigError where one is wrong."""
        try:
            found = cls.model_validate({**site.options.pilot, **{k: v for k, v in changed.items() if v is not None}})
        except ValidationError as error:
            raise ConfigError("section `pilot` of regraft.yaml", *explained(error)) from error
        for kind, names, known in (
            ("metric", (found.primary, *found.guardrails, *found.others), METRICS),
            ("segment", found.segments, SEGMENTS),
        ):
            if unknown := [name for name in names if name not in known]:
                raise ConfigError(f"pilot: {kind} '{unknown[0]}'", "is not known", "one of " + ", ".join(known))
        return found


class Terms(BaseModel):
    """The terms of one pilot, as they stand in SQL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: str  # contender whose versions are the champion
    treatment: str  # contender whose versions are the challenger
    slice: Literal["own", "control-only", "shared"] = "shared"  # what each arm learns from: regraft.data.sides
    plan: Plan  # fixed: the intervals are only valid for a size fixed in advance
    more_weeks: int = Field(0, ge=0)  # by which the pilot was extended
    designed: str  # the design in a sentence
    curve: tuple[dict[str, int | float | None], ...] = ()  # rows of Design.curve; null where there are too few users

    @property
    def design(self) -> Design | None:
        """What the plan was chosen from; None where its curve was not kept."""
        if not self.curve:
            return None
        curve = pl.DataFrame(list(self.curve), infer_schema_length=None)
        curve = curve.with_columns(pl.exclude("weeks", "n").cast(pl.Float64).fill_null(math.nan))
        plan = self.plan
        return Design(
            plan.primary, plan.minimum_lift, curve, plan.guardrails, plan.weeks, plan.n,
            sees(curve, plan.minimum_lift, plan.guardrails).height > 0, plan.power, plan.window_days,
        )  # fmt: skip

    def ends(self, begun: int) -> int:
        """When the last window ends, ms: users enter for whole weeks, then the last are followed."""
        return begun + (self.plan.weeks + self.more_weeks) * WEEK + self.plan.window_days * DAY


def terms_for(
    site: Site, control: str, treatment: str, options: PilotOptions, share: float = 1.0
) -> tuple[Terms, Design]:  # fmt: skip
    """Terms of a pilot of two contenders, sized by the site's own past, with `share` of the people in it.

    Raises DataError where the past is too short or too small to plan from.
    """
    with transaction(site.engine) as connection:
        end = site.closed_cuts(connection).end
    past = past_people(site, end, options.window_days)
    found = design(
        past, options.primary, options.minimum_lift, share, options.most_weeks, options.window_days, options.alpha,
        options.power, options.guardrails,
    )  # fmt: skip
    if found.n < LEAST:
        raise DataError(
            f"site '{site.folder}'", f"would bring {found.n:,} users per arm in {found.weeks} weeks",
            f"{LEAST:,} or more: with fewer, intervals are not to be trusted",
            "Enrol a larger share, or allow more weeks: pilot: {most_weeks: ...} in regraft.yaml",
        )  # fmt: skip
    settings = options.model_dump(exclude={"most_weeks", "slice"})
    plan = Plan(**settings, n=found.n, weeks=found.weeks)
    curve = tuple(found.curve.with_columns(pl.col(pl.Float64).fill_nan(None)).to_dicts())
    return Terms(
        control=control, treatment=treatment, slice=options.slice, plan=plan, designed=found.sentence(), curve=curve
    ), found  # fmt: skip


def past_people(site: Site, end: int, window_days: int) -> pl.DataFrame:
    """Who would have entered a pilot in the weeks before `end`, and what they did in their windows."""
    window = window_days * DAY
    rows = labelled(site.rows(end - MOST_PAST * WEEK - 2 * window, end), LabelRule(site.options.data.label))
    if not len(rows):
        raise DataError(f"site '{site.folder}'", "has no rows of the last weeks", "rows to plan from")
    earliest = max(int(rows["at"].min()), end - MOST_PAST * WEEK - 2 * window)  # type: ignore[arg-type]
    weeks = (end - earliest - 2 * window) // WEEK  # a window before the first of them, and one after the last
    if weeks < 1:
        raise DataError(
            f"site '{site.folder}'", f"has rows of {(end - earliest) / DAY:.0f} days",
            f"{(2 * window + WEEK) // DAY} or more: a week of users, with a window before and after it",
        )  # fmt: skip
    return people(rows, of_the_past(rows, end - window - weeks * WEEK), end, window_days)
