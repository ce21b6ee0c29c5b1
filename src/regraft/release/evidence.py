"""What the gate looks at: a day's rows beside earlier days, and a new version's scores beside the champion's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Protocol

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from regraft.metrics.intervals import Difference, compare
from regraft.release.day_numbers import EMPTY, day_numbers, deviations, noise
from regraft.said import Said

When = Literal["before", "judged", "after"]  # training; judged: by the version in service, before training too
Outcome = Literal["pass", "hold", "keep"]  # keep: the version in service stays; hold: a person decides
DRAWS = 500
SAME_KIND = 0.25  # difference of the shares of served rows up to which two days are of a kind
FEW_DAYS = 5  # with fewer earlier days nothing is usual yet


@dataclass(frozen=True)
class Finding:
    """What a check found, in words that a person can decide by. Values that are no numbers are left out.

    A reason that is a Said can be told in another language (dashboard/words/reasons), any other is told as it is.
    """

    check: str
    outcome: Outcome
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        finite = {name: value for name, value in self.values.items() if np.isfinite(value)}  # JSON knows no others
        object.__setattr__(self, "values", finite)


@dataclass(frozen=True)
class Day:
    """Rows of the period that is about to be closed.

    `rows`: those that happened on it, with the columns setup.site.LEARNT and `label`. `numbers` are its own and
    `earlier` those of accepted days before it, oldest first: the columns of day_numbers.EMPTY, and `set_aside`, the
    share of the rows of its sources that could not be read. `batches` brought the day's rows. `approved` are those of
    days that a person approved (release/anchor), with some of the columns; None where there are none.
    """

    rows: pl.DataFrame
    numbers: Mapping[str, float]
    earlier: pl.DataFrame
    batches: tuple[int, ...] = ()
    approved: pl.DataFrame | None = None
    broken: ClassVar[bool] = False

    @classmethod
    def of(
        cls, rows: pl.DataFrame, day: str, aside: Mapping[str, float] | None = None, batches: tuple[int, ...] = ()
    ) -> Day:  # fmt: skip
        """The day (2025-01-06) among the rows of its own and of earlier days; `aside`: share set aside by day."""
        share = pl.DataFrame(
            list((aside or {}).items()), schema={"day": pl.String, "set_aside": pl.Float64}, orient="row"
        )
        numbers = day_numbers(rows).join(share, on="day", how="left").with_columns(pl.col("set_aside").fill_null(0.0))
        today = numbers.filter(pl.col("day") == day)
        own = (
            today.drop("day").row(0, named=True) if len(today) else {**EMPTY, "set_aside": (aside or {}).get(day, 0.0)}
        )
        return cls(
            rows.filter(pl.col("time").dt.strftime("%Y-%m-%d") == day),
            own,
            numbers.filter(pl.col("day") < day),
            batches,
        )

    def away(self, name: str, of: str = "rows", chance: str = "") -> tuple[float, float]:
        """(robust standard deviations of a share from the median of earlier days, that median).

        A deviation counts as at least what chance makes of it: `of` names what the share is of, `rows`, `users` or
        `likes`; `chance`, the column that says so on earlier days. (0, NaN) where there are too few of them.
        """
        if len(self.earlier) < FEW_DAYS:
            return 0.0, float("nan")
        floor = noise(self.usual(name), self.numbers[of])
        if chance:
            floor = max(floor, self.usual(chance) * (self.usual("rows") / max(self.numbers["rows"], 1.0)) ** 0.5)
        return deviations(self.numbers[name], self.earlier[name], floor)

    def beside_its_kind(self) -> Day:
        """The day with those earlier days only on which about as large a share of the rows was of lists of ours.

        What people like of our lists is not what they liked before there were any.
        """
        same = (pl.col("served") - self.numbers["served"]).abs() <= SAME_KIND
        return replace(self, earlier=self.earlier.filter(same))

    def beside_approved(self) -> Day | None:
        """The day with the approved days in the place of earlier ones; None where a person approved none."""
        return None if self.approved is None else replace(self, earlier=self.approved, approved=None)

    def usual(self, name: str) -> float:
        """The median of earlier days."""
        return float(self.earlier[name].median())  # type: ignore[arg-type]


@dataclass(frozen=True)
class Foreseen:
    """How well the version in service foresaw the day, which it has not seen: AUC, on so many rows, so many liked."""

    auc: float
    rows: int
    liked: int
    earlier: tuple[float, ...] = ()  # AUC on earlier days, of the versions then in service
    broken: ClassVar[bool] = False


@dataclass(frozen=True)
class Judged:
    """Rows that nothing was trained on, scored by the champion and by the version that would replace it."""

    labels: np.ndarray
    users: np.ndarray
    periods: np.ndarray
    newest: int  # number of the newest period closed
    old: np.ndarray  # log-odds of the champion
    new: np.ndarray
    groups: np.ndarray  # name of each row's user group, as of the newest period's begin
    cost: Mapping[str, float] = field(default_factory=dict)  # `seconds` taken, `usual` of earlier versions
    challengers: Mapping[str, np.ndarray] = field(default_factory=dict)  # log-odds of the others, by name
    anchor: np.ndarray | None = None  # log-odds of the champion of a week ago, where there was another one
    known: np.ndarray | None = None  # bool per row: whether it lies before that champion's cut
    asked: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))  # the same requests: trainer's log-odds, server's
    another: bool = False  # whether the new version is of another contender than the champion

    @property
    def broken(self) -> bool:
        """Whether the new version has scores that are no numbers: then nothing can be compared."""
        return not np.isfinite(self.new).all()

    def difference(
        self, rows: np.ndarray, metric: str = "auc", new: np.ndarray | None = None, old: np.ndarray | None = None
    ) -> Difference:  # fmt: skip
        """A metric of the new version minus the champion's on the rows (a mask), with the interval over users.

        `new` and `old` are scores of other versions, where these are to be compared.
        """
        a, b = (self.new if new is None else new), (self.old if old is None else old)
        return compare(self.labels[rows], a[rows], b[rows], self.users[rows], self.periods[rows], DRAWS)[metric]


class Check(Protocol):
    """One file of release/checks; its settings are those under `gate: NAME:` in regraft.yaml."""

    when: ClassVar[When]
    always: ClassVar[bool]  # looks even where scores are no numbers
    anchored: ClassVar[bool]  # looks at a day beside approved days too

    def look(self, evidence: Day | Foreseen | Judged) -> Finding:
        """What it found; ready to be read by a person."""


class Limits(BaseModel):
    """Base of a check's settings: unknown names and wrong values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    always: ClassVar[bool] = False
    anchored: ClassVar[bool] = False


class ShareLimits(Limits):
    """A share of the day's rows that is not far above that of earlier days."""

    when: ClassVar[Literal["before"]] = "before"
    deviations: float = Field(6.0, gt=0, description="robust standard deviations above the median of earlier days")
    points: float = Field(0.01, ge=0, le=1, description="difference of the share that is always allowed")

    def above(self, check: str, day: Day, name: str, said: str, of: str = "rows") -> Finding:
        """`hold` where the number is above both limits; `said` has places for {share} and {usual}."""
        share, (away, usual) = day.numbers[name], day.away(name, of)
        values = {"share": share, "deviations": away}
        told = Said(said, share=f"{share:.1%}", usual=f"{usual:.1%}" if usual == usual else "?")
        if usual != usual:
            return Finding(check, "pass", Said("{why}: {said}", why=too_few(day), said=told), values)
        wrong = away > self.deviations and share - usual > self.points
        return Finding(check, "hold" if wrong else "pass", told, values)


def too_few(day: Day) -> Said:
    """That there is nothing to compare with, in words."""
    return Said("{n} earlier days are too few to compare with", n=len(day.earlier))
