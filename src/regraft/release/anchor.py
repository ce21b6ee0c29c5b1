"""Days that a person approves: the gate looks at every later day beside them, however slowly things have moved since.

What is usual is the median of the last 28 days, and follows whoever moves slowly enough. The numbers of approved days
stay as they are, in the ledger: a person decides when others take their place, and rows may be let go of meanwhile.
"""

from __future__ import annotations

import polars as pl

from regraft.errors import DataError, StateError
from regraft.release.arrivals import COMPARED, labelled
from regraft.release.day_numbers import day_numbers
from regraft.release.evidence import FEW_DAYS
from regraft.release.runs import APPROVED, date_of, day_ms, now
from regraft.setup.site import DAY, Site
from regraft.state import files, ledger
from regraft.state.database import transaction


def approve(site: Site, first: str, last: str) -> pl.DataFrame:
    """Writes the numbers of the days `first` to `last` (both inclusive) into the ledger; gives them, one row per day.

    Raises DataError where these are no days, or too few of them have rows, StateError where they are not closed yet.
    """
    begins, ends = day_ms(first), day_ms(last) + DAY
    with transaction(site.engine) as connection:
        closed = site.closed_cuts(connection).end
        listed = [f for f in files.listed(connection) if date_of(begins) <= f.day <= date_of(ends - 1)]
    if ends > closed:
        raise StateError(
            f"day {last}", "is not closed yet", f"days up to {date_of(closed - 1)}", "Close it with regraft update"
        )
    found = day_numbers(labelled(site, listed)).select("day", *COMPARED)
    found = found.filter(
        (pl.col("rows") > 0) & pl.col("day").is_between(pl.lit(date_of(begins)), pl.lit(date_of(ends - 1)))
    )
    if len(found) < FEW_DAYS:
        raise DataError(
            f"days {first} to {last}", f"{len(found)} of them have rows that are learnt from",
            f"{FEW_DAYS} days at least, better 28: their spread says what is usual",
        )  # fmt: skip
    _write(site, {"from": found["day"][0], "to": found["day"][-1], "days": found.to_dicts()})
    return found


def withdraw(site: Site) -> None:
    """From now on days are compared with those before them alone."""
    _write(site, {"days": []})


def _write(site: Site, details: dict[str, object]) -> None:
    with transaction(site.engine) as connection:
        ledger.append(connection, APPROVED, details, now())
