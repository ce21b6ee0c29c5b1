"""Users, items, events and values are of the kind that came before: swapped or new columns show here."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import reduce
from typing import ClassVar, Literal

from pydantic import Field

from regraft.release.evidence import Day, Finding, Limits, too_few
from regraft.said import Said


class Schema(Limits):
    when: ClassVar[Literal["before"]] = "before"
    deviations: float = Field(6.0, gt=0, description="robust standard deviations from the median of earlier days")
    points: float = Field(0.5, gt=0, le=1, description="more new users or items than usual that are always allowed")
    share: float = Field(0.01, gt=0, le=1, description="rows with an event or a value never seen that are allowed")

    def look(self, day: Day) -> Finding:
        if day.away("new_users")[1] != day.away("new_users")[1]:
            return Finding("schema", "pass", too_few(day))
        found = {name: day.numbers[name] for name in ("new_users", "new_items", "new_events")}
        found |= {"outside": _outside(day), "unvalued": day.usual("valued") - day.numbers["valued"]}
        far = {name for name in ("new_users", "new_items") if self._far(day, name)}
        rows = day.numbers["rows"]
        far |= {name for name in ("new_events", "outside") if found[name] * rows > 1 and found[name] > self.share}
        if rows and abs(day.away("valued")[0]) > self.deviations and abs(found["unvalued"]) > self.points:
            far.add("unvalued")
        said = Said("rows: {shares}", shares=_shares(found, far or {"new_users", "new_items"}))
        return Finding("schema", "hold" if far else "pass", said, found)

    def _far(self, day: Day, name: str) -> bool:
        away, usual = day.away(name, of="users")
        return away > self.deviations and day.numbers[name] - usual > self.points


def _shares(found: Mapping[str, float], named: Set[str]) -> Said:
    """The shares of these names in words."""
    every = {
        "new_users": Said("{share:.1%} of users who are new", share=found["new_users"]),
        "new_items": Said("{share:.1%} of items that are new", share=found["new_items"]),
        "new_events": Said("{share:.1%} of events that are new", share=found["new_events"]),
        "outside": Said("{share:.1%} with values outside the known range", share=found["outside"]),
        "unvalued": Said("{share:.1%} more without a value than usual", share=found["unvalued"]),
    }
    told = [said for name, said in every.items() if name in named]
    return reduce(lambda first, then: Said("{first}, {then}", first=first, then=then), told)


def _outside(day: Day) -> float:
    """Share of the rows whose value lies outside the range of earlier days by more than its width."""
    lows, highs = (day.earlier[name].fill_nan(None).drop_nulls() for name in ("value_low", "value_high"))
    if not len(day.rows) or not len(lows):
        return 0.0
    low, high = float(lows.min()), float(highs.max())  # type: ignore[arg-type]
    width = max(high - low, 1.0)
    return float((~day.rows["value"].drop_nulls().is_between(low - width, high + width)).sum() / len(day.rows))
