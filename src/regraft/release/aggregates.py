"""Numbers of a day that was closed or is held, written where pages read them (state/aggregates).

They are written right after the commit, and read rows that are committed: a day whose update was killed in between
gets its numbers with the next one. The same day again gives the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy import select

from regraft.data import store
from regraft.metrics import served
from regraft.metrics.estimate import NAN, Estimate
from regraft.release.long_term import STAYING, long_term
from regraft.release.runs import CLOSED, Outcome, outcome_of
from regraft.setup.site import Site
from regraft.state import aggregates, files, versions
from regraft.state.aggregates import Aggregate
from regraft.state.database import transaction
from regraft.state.tables import runs
from regraft.state.versions import Version

MARK = "promoted"  # stands on every closed day: 1 where the day's version went live, else 0
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Closed:
    """A day, what became of it, and what its contenders took."""

    day: str
    outcome: Outcome
    leading: str  # contender of the version in service after it; empty where that is not known
    took: Mapping[str, Mapping[str, Any]]  # `seconds` and `cost` by contender; empty where nothing was learnt


def refresh(site: Site, tell: Tell = str) -> list[str]:
    """Writes the numbers of every closed or held day that lacks them; the days."""
    with transaction(site.engine) as connection:
        known = aggregates.days_with(connection, MARK)
        query = select(runs).where(runs.c.state.in_((*CLOSED, "held"))).order_by(runs.c.date)
        found = [outcome_of(row) for row in connection.execute(query)]
        made = {v.name: v for v in versions.listed(connection)}
    todo = [_closed(one, made) for one in found if one.date not in known]
    for closed in todo:
        rows = list(numbers(site, closed))
        with transaction(site.engine) as connection:
            aggregates.write(connection, rows)
            aggregates.drop_before(connection, STAYING, closed.day)
    if todo:
        tell(f"Numbers of {len(todo)} day(s) are written")
    return [one.day for one in todo]


def _closed(outcome: Outcome, made: Mapping[str, Version]) -> Closed:
    own = [made[name] for name in outcome.versions if name in made]
    leading = made[outcome.champion].contender if outcome.champion in made else ""
    return Closed(outcome.date, outcome, leading, {version.contender: version.lineage for version in own})


def numbers(site: Site, closed: Closed) -> Iterator[Aggregate]:
    """All numbers of one day. Of a day that is held there are counts alone: nobody has said that its rows are true."""
    day, outcome = closed.day, closed.outcome
    held = outcome.state == "held"
    near = _rows(site, day, held)
    shown = shown_items(site, near, day)
    rows = near.filter(pl.col("time").dt.strftime(store.DAY) == day)
    people = rows["uid"].n_unique()
    yield _count(day, "rows", len(rows), people)
    yield _count(day, "people", people, people)
    yield from _served(day, shown, counts_only=held)
    if held:
        return
    yield _count(day, MARK, outcome.state == "promoted", people)
    for name, seen in outcome.judged.items():
        auc = Aggregate(day, "auc", seen["auc"], NAN, NAN, people, segment=f"contender={name}")
        yield from (auc, replace(auc, segment="")) if name == closed.leading else (auc,)
    if closed.took:
        yield _count(day, "update_seconds", sum(one["seconds"] for one in closed.took.values()), people)
    yield from long_term(site, day)


def shown_items(site: Site, rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """Items of the lists shown on `day`: uid, request_id, item_id, arm, version, position, clicked, converted.

    A list is of the day of its first row: what was answered on the next day was shown on this one.
    """
    measures = site.options.measures
    lists = rows.filter(pl.col("request_id").is_not_null() & pl.col("position").is_not_null())
    return (
        lists.with_columns(
            clicked=measures.clicked(site.options.data.label), converted=measures.converted(),
            first=pl.col("time").min().over("request_id").dt.strftime(store.DAY),
        )
        .filter(pl.col("first") == day)
        .group_by("uid", "request_id", "item_id", "arm", "version", maintain_order=True)
        .agg(pl.col("position").min(), pl.col("clicked", "converted").any())
    )  # fmt: skip


def _served(day: str, shown: pl.DataFrame, counts_only: bool) -> Iterator[Aggregate]:
    """Lists, people, clicks and rates of everybody, of each arm and of each version."""
    arms = sorted(shown["arm"].drop_nulls().unique()) if len(shown) else []
    parts = [("", "", shown), *((arm, "", shown.filter(arm=arm)) for arm in arms)]
    if len(shown):
        parts += [
            ("", f"version={version}", shown.filter(version=version))
            for version in sorted(shown["version"].drop_nulls().unique())
        ]
    for arm, segment, part in parts:
        people = part["uid"].n_unique()
        where = {"arm": arm, "segment": segment}
        yield _count(day, "lists", part["request_id"].n_unique(), people, **where)
        yield _count(day, "people_served", people, people, **where)
        if counts_only:
            continue
        yield _count(day, "clicks", int(part["clicked"].sum()), people, **where)
        yield _row(day, "ctr", served.click_rate(part), **where)
        yield _row(day, "conversion", served.conversion(part), **where)


def _rows(site: Site, day: str, held: bool) -> pl.DataFrame:
    """Rows of the day and of the one before, which may hold the list that the day's rows answer."""
    with transaction(site.engine) as connection:
        states = files.TO_CLOSE if held else (files.ACCEPTED,)
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        listed = files.listed(connection, [before, day], states)
    return store.read(site.data, listed)


def _count(day: str, measure: str, value: float, n: int, arm: str = "", segment: str = "") -> Aggregate:
    return Aggregate(day, measure, float(value), NAN, NAN, n, arm, segment)


def _row(day: str, measure: str, found: Estimate, arm: str = "", segment: str = "") -> Aggregate:
    return Aggregate(day, measure, found.value, found.low, found.high, found.n, arm, segment)
