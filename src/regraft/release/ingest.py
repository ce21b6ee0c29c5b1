"""Rows into a site: rows in = accepted + set aside + already there. The same file twice changes nothing.

People's ids become uids here and go no further. The caller holds the site's lease.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import polars as pl
from sqlalchemy import Connection

from regraft.data import store
from regraft.data.ingest import ingest as read_log
from regraft.data.interactions import EVENT_ID
from regraft.data.periods import Cuts
from regraft.data.pseudonyms import Key, load_key, new_uid
from regraft.data.store import DayFile
from regraft.data.text import NAMELESS
from regraft.release.journal import boundary
from regraft.release.runs import date_of
from regraft.setup.site import Site
from regraft.state import files, lease, vault
from regraft.state.database import transaction
from regraft.state.files import Counts, Listed
from regraft.state.lease import Lease

ROWS = "rows"  # counter of row ids
SERVED = ("request_id", "arm", "version", "position")


class Rows(NamedTuple):
    """What one source holds: events, and texts of items."""

    # user_id (the person's own) or pseudonym, item_id, time, event, value; event_id and SERVED where there are any
    events: pl.DataFrame
    items: pl.DataFrame  # item_id, title, attributes
    source: str
    sha256: str
    set_aside: int


def ingest(site: Site, path: Path, held: Lease) -> Counts:
    """Takes in a log file or folder, as `regraft data inspect` shows it; rows that cannot be read are set aside."""
    options = site.options.data
    aside = site.spool / "aside" / f"{path.stem}.csv"
    aside.parent.mkdir(parents=True, exist_ok=True)
    log = read_log(path, options.reader, options.mapping, options.limits, quarantine=aside)
    events = log.interactions.rename({"timestamp": "time"}).drop("line")
    return take_in(site, Rows(events, log.items, path.name, log.digest, len(log.rejected)), held)


def take_in(site: Site, rows: Rows, held: Lease) -> Counts:
    """Writes the rows that are not there yet and lists them, all in one transaction at the end."""
    key = load_key(site.folder)
    with transaction(site.engine) as connection:
        lease.demand(connection, held)
        events = _with_uids(connection, rows.events, key)
        listed = _may_hold(files.listed(connection, states=files.STATES), events)
        known_items = files.listed(connection, [store.ITEMS])
        cuts = site.cuts(connection)
        first = files.next_number(connection, ROWS)
    events = events.with_columns(identity=store.identities(events))
    there = store.there(site.data, listed, events["identity"])
    new = events.filter(~pl.col("identity").is_in(there.implode()) & pl.col("identity").is_first_distinct())
    new = _known(new, cuts.end if cuts else None).sort("known_at", "time", maintain_order=True)
    new = new.with_columns(row_id=first + pl.int_range(pl.len(), dtype=pl.Int64))
    items = _changed(rows.items, store.read_items(site.data, known_items), cuts.end if cuts else None)
    written = [*store.write(site.data, new), *store.write_items(site.data, items)]
    boundary("write", rows=len(new))
    rows_in = len(events) + rows.set_aside
    counts = Counts(rows.source, rows.sha256, rows_in, len(new), rows.set_aside, len(events) - len(new))
    with transaction(site.engine) as connection:
        lease.demand(connection, held)
        files.take_numbers(connection, ROWS, first, len(new))
        for part, own in _by_day(counts, written, cuts):
            files.add(connection, part, own)
    boundary("list", **{name: value for name, value in vars(counts).items() if name != "sha256"})
    return counts


def _may_hold(listed: list[Listed], events: pl.DataFrame) -> list[Listed]:
    """The files that may hold some of the events already: those of their days, but an event_id counts on any day."""
    named = EVENT_ID in events.columns and events[EVENT_ID].count()
    days = set() if named else set(events["time"].dt.strftime(store.DAY).unique())
    return [f for f in listed if f.day != store.ITEMS and (named or f.day in days)]


def _by_day(counts: Counts, written: list[DayFile], cuts: Cuts | None) -> list[tuple[Counts, list[DayFile]]]:
    """The source as batches, one for every day that is still to be closed: each is judged, and left out, on its own.

    Late rows, texts of items and what was no new row go with the first one.
    """
    if cuts is None:
        return [(counts, written)]
    today = date_of(cuts.end)
    days = sorted({max(file.day, today) for file in written if file.day != store.ITEMS})
    parts: list[tuple[Counts, list[DayFile]]] = []
    for day in days[1:]:
        own = [file for file in written if file.day == day]
        rows = sum(file.rows for file in own)
        parts.append((replace(counts, rows_in=rows, accepted=rows, set_aside=0, already_there=0), own))
    rows = sum(part.accepted for part, _ in parts)
    first = replace(counts, rows_in=counts.rows_in - rows, accepted=counts.accepted - rows)
    return [(first, [file for file in written if file.day not in days[1:]]), *parts]


def _with_uids(connection: Connection, events: pl.DataFrame, key: Key) -> pl.DataFrame:
    """The events with `uid` in the place of the person's own id, or of the pseudonym."""
    name = "user_id" if "user_id" in events.columns else "pseudonym"
    people = events[name].unique(maintain_order=True)
    pseudonyms = key.pseudonyms(people) if name == "user_id" else people.to_list()
    uid = vault.uids(connection, pseudonyms, key.id, new_uid)
    of = pl.DataFrame({name: people, "uid": [uid[p] for p in pseudonyms]}, schema_overrides={"uid": pl.String})
    found = events.join(of, on=name, how="left", maintain_order="left").drop(name)
    missing = [name for name in SERVED if name not in found.columns]
    return found.with_columns(pl.lit(None, dtype=store.STORED[name]).alias(name) for name in missing)


def _known(events: pl.DataFrame, closed: int | None) -> pl.DataFrame:
    """The events with `known_at`: a row of a period that is closed already becomes known now, at the last cut."""
    time = pl.col("time")
    if closed is None:
        return events.with_columns(known_at=time)
    cut = pl.lit(closed).cast(store.STORED["known_at"])
    return events.with_columns(known_at=pl.max_horizontal(time, cut))


def _changed(items: pl.DataFrame, known: pl.DataFrame, closed: int | None) -> pl.DataFrame:
    """Items that are new or have other texts than before, valid from the last cut on.

    A log that says nothing of an item, as one without an item file, leaves it as it is known; one whose item file has
    fewer columns than are known leaves the others as they are, the title included.
    """
    texts = items.select(pl.all().cast(pl.String))
    newest = known.unique("item_id", keep="last", maintain_order=True)
    said = [name for name in texts.columns if name not in ("item_id", "title")]
    nameless = (pl.col("title") == NAMELESS + pl.col("item_id")) & pl.all_horizontal(
        pl.lit(True), *(pl.col(name).is_null() | (pl.col(name) == "") for name in said)
    )
    texts = texts.filter(~(nameless & pl.col("item_id").is_in(newest["item_id"].implode())))
    newest = newest.with_columns(_empty(name) for name in texts.columns if name not in newest.columns)
    texts = _completed(texts, newest.drop("known_at"))
    same = texts.join(newest.drop("known_at"), on=texts.columns, how="semi", nulls_equal=True)["item_id"]
    cut = pl.lit(closed or 0).cast(store.STORED["known_at"])
    return texts.filter(~pl.col("item_id").is_in(same.implode())).with_columns(known_at=cut)


def _completed(texts: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The texts with what is known of their items in columns that they lack, and in the place of absent titles."""
    absent = [name for name in known.columns if name not in texts.columns]
    of_item = known.select("item_id", *absent, known_title="title")
    found = texts.join(of_item, on="item_id", how="left", maintain_order="left")
    untitled = pl.col("title") == NAMELESS + pl.col("item_id")
    title = pl.when(untitled).then(pl.coalesce("known_title", "title")).otherwise("title")
    return found.with_columns(title=title).drop("known_title")


def _empty(name: str) -> pl.Expr:
    return pl.lit(None, dtype=pl.String).alias(name)
