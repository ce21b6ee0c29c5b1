"""What became known on a day: its rows beside those of earlier days, and the batches that brought them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl
from sqlalchemy import Connection, select

from regraft.data import store
from regraft.data.labels import LabelRule
from regraft.release.evidence import Day
from regraft.release.runs import APPROVED, date_of
from regraft.setup.site import DAY, Site
from regraft.state import files, ledger
from regraft.state.database import transaction
from regraft.state.files import Listed
from regraft.state.tables import batches

EARLIER = 28  # days that a day is compared with
# Numbers of approved days that are kept: what the checks that are `anchored` ask for.
COMPARED = ("rows", "users", "likes", "liked", "liked_noise", "served", "top_item")


def day_of(site: Site, begins: int) -> Day:
    """The next day to close, which begins at `begins` (ms): rows that the gate holds count as its rows too."""
    earliest = begins - EARLIER * DAY
    with transaction(site.engine) as connection:
        listed = [f for f in _events(connection) if f.day <= date_of(begins)]
        shares, beside = _aside(connection), approved(connection)
    inside = [f for f in listed if f.day >= date_of(earliest)]
    late = list(_known_since(site, [f for f in listed if f.day < date_of(earliest)], earliest))
    rows = labelled(site, [*late, *inside])
    rows = rows.filter(pl.col("known_at").dt.epoch("ms").is_between(earliest, begins + DAY, closed="left"))
    today = date_of(begins)
    # What became known on the day lies in no earlier file but the late ones.
    own = tuple(sorted({f.batch for f in _of_day(site, [*late, *inside], begins)}))
    aside = {f.day: shares.get(f.batch, 0.0) for f in inside}
    aside[today] = max((shares.get(batch, 0.0) for batch in own), default=0.0)
    return replace(Day.of(rows, today, aside, own), approved=beside)


def approved(connection: Connection) -> pl.DataFrame | None:
    """`day` and the columns COMPARED of days that a person approved (release/anchor), None where there are none."""
    entry = ledger.newest(connection, APPROVED)
    days = pl.DataFrame(entry.details["days"] if entry else [])
    return days.select("day", *COMPARED) if len(days) else None


def labelled(site: Site, listed: Iterable[Listed]) -> pl.DataFrame:
    """The rows of files that the label rule speaks of, with `label`."""
    rule = LabelRule(site.options.data.label)
    rows = site.with_meaning(store.read(site.data, listed)).with_columns(rule.expression().alias("label"))
    # Where it is about events values mean nothing, and servers' own rows have none.
    return rows.with_columns(value=pl.lit(None, pl.Float64)) if rule.about_events else rows


def batches_since(site: Site, connection: Connection, cut: int) -> list[int]:
    """Numbers of the batches in use, or held, that have rows which became known at or after `cut` (ms)."""
    listed = _events(connection)
    newer = [f for f in listed if f.day >= date_of(cut)]
    late = _known_since(site, [f for f in listed if f.day < date_of(cut)], cut)
    return sorted({f.batch for f in [*newer, *late]})


def batches_of_day(site: Site, connection: Connection, begins: int) -> list[int]:
    """Numbers of the batches that brought the rows of the next day to close."""
    listed = [f for f in _events(connection) if f.day <= date_of(begins)]
    return sorted({f.batch for f in _of_day(site, listed, begins)})


def _of_day(site: Site, listed: list[Listed], begins: int) -> list[Listed]:
    today = date_of(begins)
    return [f for f in listed if f.day == today] + list(
        _known_since(site, [f for f in listed if f.day < today], begins)
    )


def _events(connection: Connection) -> list[Listed]:
    return [f for f in files.listed(connection, states=files.TO_CLOSE) if f.day != store.ITEMS]


def _known_since(site: Site, listed: Iterable[Listed], since: int) -> Iterable[Listed]:
    """The files with a row that became known at or after `since` (ms): late rows, in files of closed days."""
    return (f for f in listed if store.newest_known(site.data, f) >= since)


def _aside(connection: Connection) -> dict[int, float]:
    """Share of the rows of its source that were set aside, by batch: a source of several days is several batches."""
    found = pl.DataFrame(
        connection.execute(select(batches.c.id, batches.c.sha256, batches.c.rows_in, batches.c.set_aside)).all(),
        schema={"id": pl.Int64, "sha256": pl.String, "rows_in": pl.Int64, "set_aside": pl.Int64}, orient="row",
    )  # fmt: skip
    whole = found.with_columns(pl.col("rows_in", "set_aside").sum().over("sha256"))
    shares = whole["set_aside"] / whole["rows_in"].clip(1)
    return dict(zip(whole["id"].to_list(), shares.to_list(), strict=True))
