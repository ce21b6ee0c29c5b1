"""Whether more frequent updates pay: what they cost and what they earn, from a measured curve and declared prices.

A curve has one row per update frequency: `every` (periods from update to update), `auc` (mean over the same rows of
the same periods), `seconds` (of updating, per period), and, where they were measured, `low` and `high`: the 95 %
interval of AUC minus that of the next rarer frequency.

    cost(every)   = seconds / 3600 x update_hour
    earned(every) = lists x clicks x lift x (auc - auc of the rarest) / 0.01 x click
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import polars as pl

from regraft.errors import DataError
from regraft.metrics.spending import update_cost

POINT = 0.01  # AUC
COLUMNS = {"every": pl.Int64, "auc": pl.Float64, "seconds": pl.Float64, "low": pl.Float64, "high": pl.Float64}


@dataclass(frozen=True)
class Assumptions:
    """What turns seconds and AUC into money; a period is that of the curve, in most sites a day."""

    update_hour: float  # price of an hour of the machine that updates
    lists: float  # served per period
    clicks: float  # per list
    lift: float  # share of clicks that 0.01 more AUC brings
    click: float  # margin that a click is worth
    currency: str = "USD"


class Pair(NamedTuple):
    """Updating more often against the next rarer frequency; money per period."""

    often: int
    rarer: int
    costs: float  # more
    earns: float  # more
    low: float  # of the interval of `earns`; NaN where it was not measured
    high: float

    @property
    def pays(self) -> bool | None:
        """None: the interval holds both answers."""
        if math.isnan(self.low) or math.isnan(self.high):
            return self.earns > self.costs
        return True if self.low > self.costs else False if self.high < self.costs else None


class Swing(NamedTuple):
    """The best frequency if one assumption were half or twice what it is, and where the choice tips."""

    name: str
    now: float
    half: int  # best `every`
    twice: int
    half_net: float  # money per period, of the best frequency at half, against the rarest
    twice_net: float
    tips: float  # value of the assumption at which the most frequent update that pays now would not; NaN: none does


def checked(curve: pl.DataFrame) -> pl.DataFrame:
    """The curve with all COLUMNS, most frequent first. DataError where it cannot be used."""
    missing = [name for name in ("every", "auc", "seconds") if name not in curve.columns]
    if missing:
        raise DataError("curve of update frequencies", f"lacks {', '.join(missing)}", "every, auc, seconds")
    if len(curve) < 2 or curve["every"].n_unique() < len(curve):
        raise DataError("curve of update frequencies", f"has {len(curve)} rows", "two or more different frequencies")
    full = curve.with_columns(pl.lit(None, pl.Float64).alias(c) for c in ("low", "high") if c not in curve.columns)
    return full.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items()).sort("every")


def balance(curve: pl.DataFrame, given: Assumptions) -> pl.DataFrame:
    """Per frequency, in money per period: `every, cost, earned, net`; earned and net against the rarest frequency."""
    rows = checked(curve)
    rarest = rows.row(-1, named=True)
    per_point = given.lists * given.clicks * given.lift * given.click / POINT
    cost = pl.col("seconds") * update_cost(1.0, given.update_hour)
    found = rows.select("every", cost=cost, earned=(pl.col("auc") - rarest["auc"]) * per_point)
    return found.with_columns(net=pl.col("earned") - (pl.col("cost") - found["cost"][-1]))


def best(curve: pl.DataFrame, given: Assumptions) -> int:
    """The frequency with the highest net; among equal ones the rarest."""
    rows = balance(curve, given).sort("net", "every", descending=True)
    return int(rows["every"][0])


def pairs(curve: pl.DataFrame, given: Assumptions) -> list[Pair]:
    """Each frequency against the next rarer one, most frequent first."""
    rows, money = checked(curve).rows(named=True), balance(curve, given).rows(named=True)
    per_auc = given.lists * given.clicks * given.lift * given.click / POINT
    found = []
    for k in range(len(rows) - 1):
        ends = (rows[k]["low"], rows[k]["high"])
        low, high = (math.nan if None in ends else end * per_auc for end in ends)
        costs, earns = (money[k][name] - money[k + 1][name] for name in ("cost", "earned"))
        found.append(Pair(rows[k]["every"], rows[k + 1]["every"], costs, earns, low, high))
    return found


def sensitivity(curve: pl.DataFrame, given: Assumptions) -> list[Swing]:
    """What would change with each price and assumption."""
    return list(_swings(curve, given))


def _swings(curve: pl.DataFrame, given: Assumptions) -> Iterator[Swing]:
    now = best(curve, given)
    rarer = next((pair for pair in pairs(curve, given) if pair.often == now), None)
    for field in fields(Assumptions):
        value = getattr(given, field.name)
        if isinstance(value, str):
            continue
        half, twice = (replace(given, **{field.name: value * factor}) for factor in (0.5, 2.0))
        low, high = (float(balance(curve, other)["net"].to_numpy().max()) for other in (half, twice))
        tips = math.nan
        if rarer is not None and rarer.costs > 0 and rarer.earns > 0:
            ratio = rarer.costs / rarer.earns
            tips = value / ratio if field.name == "update_hour" else value * ratio
        yield Swing(field.name, value, best(curve, half), best(curve, twice), low, high, tips)
