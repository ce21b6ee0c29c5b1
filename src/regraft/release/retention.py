"""Retention: what is older than regraft.yaml allows leaves its store; `regraft retention apply` and every update.

What SQL decides - data files, versions, people of whom no row is left - changes in one transaction, with an entry in
the ledger; what is off the list is deleted after it. Killed before the transaction nothing that is listed has changed;
killed after it the next call deletes what is left: all that is deleted can be told from the list, the policy and the
files themselves.

Ages are by event time: rows leave by whole days, a day at most after their time. Files that say nothing of the time
of events (rows set aside, caches, reports) go by when they were last written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from regraft.counted import counted
from regraft.data import spool, store
from regraft.data.store import DayFile
from regraft.errors import ConfigError, DataError
from regraft.files import remove
from regraft.release.expired import OF_FILES, SPOOLED, Due, files_due, spool_due
from regraft.release.journal import boundary
from regraft.release.recovery import sweep
from regraft.release.runs import date_of, now
from regraft.setup.site import Site
from regraft.state import files, lease, ledger, vault, versions
from regraft.state.database import tidy, transaction
from regraft.state.files import Listed
from regraft.state.lease import Lease

Tell = Callable[[str], object]
KIND, ROWS = "retention", "rows: rows"  # kind of the ledger's entries; what `gone` calls rows in them


@dataclass(frozen=True)
class _Plan:
    """What leaves the list, and what is written in the place of files of which a part stays."""

    due: list[Due]
    out: list[Listed]  # data files, by rows or by texts
    texts: pl.DataFrame  # of items, due: item_id, known_at
    people: list[str]  # uids of whom no row is left
    destroyed: list[str]  # versions


def due(site: Site, as_of: int) -> list[Due]:
    """What is older than it may be at `as_of` (ms), store by store; nothing is changed."""
    return _plan(site, as_of).due


def apply(site: Site, held: Lease, as_of: int, tell: Tell = str) -> list[Due]:
    """Lets go of what is due at `as_of` (ms) and says what that was; a second call finds nothing.

    Raises ConfigError where rows would leave that a base model of the site was built from.
    """
    plan = _plan(site, as_of)
    gone = [one for one in plan.due if one.count and site.options.retention.of(one.store).action == "delete"]
    written = _without(site, plan)
    boundary("retain", rows=sum(one.count for one in gone if one.store == "rows"))
    if gone:
        with transaction(site.engine) as connection:
            lease.demand(connection, held)
            files.replace(connection, [file.name for file in plan.out], written)
            versions.destroy(connection, plan.destroyed)
            forgotten = vault.forget_uids(connection, plan.people)
            counts = {f"{one.store}: {one.unit}": one.count for one in gone}
            details = {"as_of": date_of(as_of), "gone": counts, "people": forgotten}
            ledger.append(connection, KIND, details, now())
    boundary("let go")
    _clean(site, as_of)
    if gone:
        tidy(site.engine)
        tell("Kept no longer: " + ", ".join(counted(one.count, one.unit) for one in gone))
    boundary("cleaned")
    return plan.due


# -- what is due -------------------------------------------------------------------------------------


def _plan(site: Site, as_of: int) -> _Plan:
    policy = site.options.retention
    with transaction(site.engine) as connection:
        listed, cuts = files.listed(connection, states=files.STATES), site.cuts(connection)
        known, used = versions.listed(connection), versions.in_use(connection)
    rows = [f for f in listed if f.day != store.ITEMS and f.day < _day(policy.rows.age, as_of)]
    taken = rows if policy.rows.action == "delete" else []
    if taken and cuts and min(f.day for f in taken) < date_of(cuts.starts[0][0]):
        _demand_no_base_of_rows(site)
    left = [f for f in listed if f.day != store.ITEMS and f not in taken]
    texts = _old_texts(site, [f for f in listed if f.day == store.ITEMS], left, policy.items.age, as_of)
    old = [v for v in known if v.name not in used and v.state != versions.DESTROYED]
    old = [] if policy.versions.age is None else [v for v in old if v.cut < as_of - policy.versions.age]
    found = [
        Due("rows", "rows", sum(f.rows for f in rows), min((f.day for f in rows), default="")),
        Due("items", "texts", len(texts), date_of(_first(texts)) if len(texts) else ""),
        *(spool_due(site, as_of, kind) for kind in SPOOLED),
        Due("versions", "versions", len(old), date_of(old[0].cut) if old else ""),
        *(files_due(site, name, max(as_of, now())) for name in OF_FILES),
    ]
    texts = texts if policy.items.action == "delete" else texts.clear()
    return _Plan(
        found, taken + _holding(site, listed, texts), texts, _without_rows(site, taken, left),
        [v.name for v in old] if policy.versions.action == "delete" else [],
    )  # fmt: skip


def _day(age: int | None, as_of: int) -> str:
    """The first day of which a part may still be kept; before all days where everything is kept."""
    return "" if age is None else date_of(as_of - age)


def _demand_no_base_of_rows(site: Site) -> None:
    if site.options.base.path is None and any(one.kind == "strategy" for one in site.options.contenders):
        raise ConfigError(
            "retention.rows", "would let go of rows that the base model was built from",
            "a base model that has not seen the rows of the site", "Name one in regraft.yaml with base: {code}",
            code="{path: ...}",
        )  # fmt: skip


def _old_texts(
    site: Site, listed: list[Listed], left: list[Listed], age: int | None, as_of: int
) -> pl.DataFrame:  # fmt: skip
    """item_id, known_at of texts that are due: replaced so long ago, or as old and no row that is left has the item."""
    texts = store.read_items(site.data, listed).select("item_id", "known_at")
    if age is None or not len(texts):
        return texts.clear()
    until = pl.lit(as_of - age).cast(store.STORED["known_at"])
    spoken_of = store.read(site.data, left, ["item_id"])["item_id"].unique()
    replaced = pl.col("known_at").shift(-1).over("item_id")
    unused = replaced.is_null() & (pl.col("known_at") < until) & ~pl.col("item_id").is_in(spoken_of.implode())
    return texts.filter((replaced < until).fill_null(False) | unused)


def _holding(site: Site, listed: list[Listed], texts: pl.DataFrame) -> list[Listed]:
    """The files of items in which any of these texts stands."""
    if not len(texts):
        return []
    items = [f for f in listed if f.day == store.ITEMS]
    return [
        f for f in items if len(store.read_items(site.data, [f]).join(texts, on=["item_id", "known_at"], how="semi"))
    ]


def _without_rows(site: Site, gone: list[Listed], left: list[Listed]) -> list[str]:
    """uids that stand in the first files and in none of the others."""
    if not gone:
        return []
    people = store.read(site.data, gone, ["uid"])["uid"].unique()
    for file in left:
        people = people.filter(~people.is_in(store.read(site.data, [file], ["uid"])["uid"].unique().implode()))
    return people.sort().to_list()


def _first(texts: pl.DataFrame) -> int:
    return int(texts["known_at"].dt.epoch("ms").min())  # type: ignore[arg-type]


# -- letting go --------------------------------------------------------------------------------------


def _without(site: Site, plan: _Plan) -> list[tuple[DayFile, int]]:
    """Writes the files of items anew without the texts that are due; each with its batch."""
    written = []
    for file in plan.out:
        if file.day == store.ITEMS:
            kept = store.read_items(site.data, [file]).join(plan.texts, on=["item_id", "known_at"], how="anti")
            written += [(one, file.batch) for one in store.write_items(site.data, kept)]
    return written


def _clean(site: Site, as_of: int) -> None:
    """Deletes what is off the list, and files and spooled lines that are due."""
    policy = site.options.retention
    sweep(site)
    with transaction(site.engine) as connection:
        destroyed = [v.name for v in versions.listed(connection) if v.state == versions.DESTROYED]
    for name in destroyed:
        remove(site.versions / name)
    if policy.spool.age is not None and policy.spool.action == "delete":
        until = as_of - policy.spool.age
        for kind in SPOOLED:
            spool.drop(site.spool / kind, lambda row: row["time"] < until)
    for name, paths in OF_FILES.items():
        if policy.of(name).action == "delete":
            for path in paths(site, policy.of(name).age, max(as_of, now())):
                remove(path)


def demand_rows_left(site: Site, as_of: int) -> None:
    """DataError where every row is older than it may be: a site of an old log is let go of only when that was said."""
    with transaction(site.engine) as connection:
        days = [f.day for f in files.listed(connection, states=files.STATES) if f.day != store.ITEMS]
    policy = site.options.retention.rows
    if days and policy.action == "delete" and max(days) < _day(policy.age, as_of):
        raise DataError(
            "site '{site}'", "has no row younger than {keep} on {date}: all would go", "rows that may be kept",
            "Let go of all with: regraft retention apply {site} --as-of {date}",
            site=site.folder, keep=policy.keep, date=date_of(as_of),
        )  # fmt: skip
