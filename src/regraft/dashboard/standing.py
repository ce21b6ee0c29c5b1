"""Where a site stands now: what every page of the dashboard says or needs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from regraft.release.long_term import AFTER
from regraft.release.runs import date_of
from regraft.setup.site import DAY, Site
from regraft.state import aggregates, versions
from regraft.state.database import transaction
from regraft.state.tables import aggregates as numbers
from regraft.state.tables import alias_history, ledger

NO_PEOPLE = ("version=", "contender=", AFTER)  # segments that are no choice of people
STALE = 2  # days after which the newest closed day is old


@dataclass(frozen=True)
class Standing:
    """`newest`: the last day closed; `live`: when the champion moved, by day, and to which version."""

    newest: str
    age: int  # days since the newest day ended
    champion: str
    live: tuple[tuple[str, str], ...]
    first: str  # the first day that has numbers; empty before there is one
    arms: tuple[str, ...]
    segments: tuple[str, ...]

    @property
    def stale(self) -> bool:
        return bool(self.newest) and self.age >= STALE

    @property
    def live_days(self) -> tuple[str, ...]:
        return tuple(sorted({day for day, _ in self.live}))


def standing(site: Site, at: float | None = None) -> Standing:
    """Read in one transaction. `at`: seconds since 1970, now where it is not given."""
    with transaction(site.engine) as connection:
        cuts, champion = site.cuts(connection), versions.alias(connection, "champion")
        live = _live(connection)
        arms, segments = _cuts_of_people(connection)
        first = connection.execute(select(func.min(numbers.c.day))).scalar() or ""
    end = cuts.end if cuts else 0
    age = int(((time.time() if at is None else at) * 1000 - end) // DAY)
    return Standing(
        date_of(end - DAY) if cuts else "",
        max(age, 0),
        champion.version if champion else "",
        live,
        first,
        arms,
        segments,
    )


def _live(connection: Connection) -> tuple[tuple[str, str], ...]:
    """The day that was closed when a version went live, where the ledger says so; else the day of the move."""
    import json

    rows = connection.execute(
        select(alias_history.c.version, ledger.c.at, ledger.c.details)
        .join(ledger, ledger.c.id == alias_history.c.entry)
        .where(alias_history.c.alias == "champion")
        .order_by(alias_history.c.epoch)
    )
    return tuple((json.loads(row.details).get("date") or date_of(row.at), row.version) for row in rows)


def _cuts_of_people(connection: Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Arms and segments of the newest day that has numbers."""
    last = connection.execute(select(func.max(numbers.c.day))).scalar()
    if last is None:
        return (), ()
    rows = connection.execute(select(numbers.c.arm, numbers.c.segment).where(numbers.c.day == last).distinct()).all()
    arms, segments = ({row[k] for row in rows} - {""} for k in (0, 1))
    return tuple(sorted(arms)), tuple(sorted(one for one in segments if not one.startswith(NO_PEOPLE)))


HIDE = aggregates.HIDE
