"""Numbers of a day that was closed or is held, written where pages read them (state/aggregates).

They are written right after the commit, and read rows that are committed: a day whose update was killed in between
gets its numbers with the next one. The same day again gives the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from sqlalchemy import select

from regraft.counted import counted
from regraft.data import store
from regraft.metrics import cohorts
from regraft.release import short_term
from regraft.release.long_term import CURVES, cohort_map, long_term, window
from regraft.release.person_days import active_days, kinds, person_days
from regraft.release.runs import CLOSED, Outcome, outcome_of
from regraft.setup.site import Site
from regraft.state import aggregates, versions
from regraft.state.aggregates import Aggregate
from regraft.state.database import transaction
from regraft.state.tables import runs
from regraft.state.versions import Version

MARK = "promoted"  # stands on every closed day: 1 where the day's version went live, else 0
SUNDAY = 6  # as date.weekday() has it
PARTS = ("people", "version")  # segments that everybody is in one of
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
    written = [closed.day for closed in todo if _write(site, closed, tell)]
    if written:
        tell(f"Numbers of {counted(len(written), 'days')} are written, the last is {written[-1]}")
    return written


def click_rate(site: Site, day: str) -> dict[str, float]:
    """The click-through rate of everybody on a day, as `regraft metrics` tells it: value, low, high and n.

    Empty where nothing was served, where the day is held, and where it is hidden because so few people saw a list;
    no low and high where there is no interval.
    """
    with transaction(site.engine) as connection:
        found = aggregates.read(connection, ["ctr"], days=[day])
    told = found.drop_nulls("value").select("value", "low", "high", "n").to_dicts()
    return {name: value for one in told for name, value in one.items() if value is not None}


def _write(site: Site, closed: Closed, tell: Tell) -> bool:
    """Whether a day's numbers could be written. It is closed whatever happens here: the next update tries again."""
    try:
        rows = guarded(row for row in numbers(site, closed) if row.n or row.measure == MARK)
        with transaction(site.engine) as connection:
            aggregates.write(connection, rows)
            for curve in CURVES:
                aggregates.drop_before(connection, curve, closed.day)
    except Exception as error:
        tell(f"The numbers of {closed.day} could not be written: {error}")
        return False
    return True


def guarded(rows: Iterable[Aggregate]) -> list[Aggregate]:
    """The rows, but those from which a hidden one could be worked out: everybody's less the other parts.

    Where the hidden kinds of people (or versions) of a measure are fewer than ten people together, the smallest of
    the others is left out, too. Arms are left as they are: a pilot is decided by them, and chance chose who is in one.
    """
    kept, parts = [], defaultdict(list)
    for row in rows:
        name = row.segment.partition("=")[0]
        if name in PARTS and not row.arm:
            parts[row.day, row.measure, name].append(row)
        else:
            kept.append(row)
    for part in parts.values():
        part.sort(key=lambda row: row.n)
        few = [row.n for row in part if row.n < aggregates.HIDE]
        left_out = len(few) if few and sum(few) < aggregates.HIDE else -1
        kept += [row for k, row in enumerate(part) if k != left_out]
    return kept


def _closed(outcome: Outcome, made: Mapping[str, Version]) -> Closed:
    own = [made[name] for name in outcome.versions if name in made]
    leading = made[outcome.champion].contender if outcome.champion in made else ""
    return Closed(outcome.date, outcome, leading, {version.contender: version.lineage for version in own})


def numbers(site: Site, closed: Closed) -> Iterator[Aggregate]:
    """All numbers of one day. Of a day that is held there are counts alone: nobody has said that its rows are true."""
    day, outcome = closed.day, closed.outcome
    held, on = outcome.state == "held", date.fromisoformat(closed.day)
    near = short_term.near(site, day, held)
    shown = short_term.shown_items(site, near, day)
    rows = near.filter(pl.col("time").dt.strftime(store.DAY) == day)
    people = rows["uid"].n_unique()
    yield short_term.count(day, "rows", len(rows), people)
    yield short_term.count(day, "people", people, people)
    yield from short_term.volume(day, shown)
    yield from short_term.waited(site, day)
    if held:
        return
    learnt = max((one["people"] for one in closed.took.values()), default=people)
    yield short_term.count(day, MARK, outcome.state == "promoted", learnt)
    days = person_days(site, on, window(site.options.measures.quiet))
    yield from short_term.answers(day, shown, kinds(days, on), bool(days["converted"].sum()))
    yield from short_term.varied(site, day, shown)
    yield from short_term.foreseen(day, outcome, closed.leading, people)
    yield from short_term.retained(day, outcome, learnt)
    yield from short_term.spent(site, day, closed.took, learnt)
    yield from long_term(days, day, site.options.measures.quiet)
    if on.weekday() == SUNDAY:
        yield from cohort_map(active_days(site, on, cohorts.SPAN), on)
