"""Is a site sound? Database, files, versions, ledger, key and spool, each looked at whole; nothing is changed."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import select

from regraft.data import spool, store
from regraft.data.erased import erased_file
from regraft.data.pseudonyms import key_file, load_key
from regraft.errors import RegraftError
from regraft.release.blocked import returned
from regraft.release.recovery import unlisted, unnamed
from regraft.setup.manifest import verify
from regraft.setup.site import Site
from regraft.state import database, erasures, files, ledger, versions
from regraft.state.database import SAFE_WAL, transaction
from regraft.state.tables import runs, vault


@dataclass(frozen=True)
class Found:
    """What one look found; `problem` says whether a person should do something about it."""

    what: str
    words: str
    problem: bool = False


def checkup(site: Site) -> list[Found]:
    """All looks in order. A look that fails is a problem of its own, and the others go on."""
    looks: tuple[Callable[[Site], Iterator[Found]], ...] = (
        _database, _runs, _ledger, _data, _versions, _key, _spool, _erased,
    )  # fmt: skip
    found: list[Found] = []
    for look in looks:
        try:
            found += look(site)
        except RegraftError as error:
            found.append(Found(look.__name__.lstrip("_"), str(error), problem=True))
    return found


def _database(site: Site) -> Iterator[Found]:
    """Opening the site has brought its tables up to date already, or refused those of a later version."""
    with transaction(site.engine) as connection:
        revision = database.revision(connection)
        if site.engine.dialect.name != "sqlite":
            yield Found("database", f"{site.engine.dialect.name}, migrations up to {revision}")
            return
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        broken = connection.exec_driver_sql("PRAGMA quick_check").scalars().all() != ["ok"]
    words = f"SQLite {sqlite3.sqlite_version}, journal mode {mode}, migrations up to {revision}"
    if broken:
        words += "; its pages are damaged: restore it from a backup"
    elif mode == "wal" and sqlite3.sqlite_version_info < SAFE_WAL:
        words += f"; below {'.'.join(map(str, SAFE_WAL))} this mode can corrupt it: open it with regraft alone"
    yield Found("database", words, broken or (mode == "wal" and sqlite3.sqlite_version_info < SAFE_WAL))


def _runs(site: Site) -> Iterator[Found]:
    with transaction(site.engine) as connection:
        rows = connection.execute(select(runs.c.id, runs.c.date, runs.c.state).order_by(runs.c.id)).all()
        cuts, champion = site.cuts(connection), versions.alias(connection, "champion")
    closed = f"{len(cuts.starts)} periods are closed" if cuts else "no period is closed"
    yield Found("runs", f"{len(rows)} runs, {closed}; the champion is {champion.version if champion else 'none'}")
    for row in rows:
        if row.state == "held":
            words = f"run {row.id} of {row.date} is held: regraft update {site.folder} --accept {row.id} or --skip"
            yield Found("runs", words, problem=True)


def _ledger(site: Site) -> Iterator[Found]:
    with transaction(site.engine) as connection:
        entries = ledger.entries(connection)
    yield Found(
        "ledger", f"{len(entries)} entries, the chain is whole; newest hash {entries[-1].hash if entries else '-'}"
    )


def _data(site: Site) -> Iterator[Found]:
    with transaction(site.engine) as connection:
        listed = files.listed(connection, states=files.STATES)
    damaged = list(store.damaged(site.data, listed))
    rows, size = sum(f.rows for f in listed if f.day != store.ITEMS), sum(f.bytes for f in listed)
    yield Found("data", f"{len(listed):,} files are listed, {rows:,} rows, {size / 2**20:,.1f} MiB")
    for file in damaged:
        words = f"{site.data / file.name} is missing or has other bytes than were written: restore it from a backup"
        yield Found("data", words, problem=True)
    if left := unlisted(site):
        yield Found("data", f"{len(left)} files are not listed; the next update removes them when they are a day old")


def _versions(site: Site) -> Iterator[Found]:
    with transaction(site.engine) as connection:
        listed = [v for v in versions.listed(connection) if v.state != versions.DESTROYED]
    problems = []
    for version in listed:
        try:
            verify(site.versions / version.name, version.manifest)
        except RegraftError as error:
            problems.append(Found("versions", str(error), problem=True))
    yield Found("versions", f"{len(listed) - len(problems)} of {len(listed)} are whole")
    yield from problems
    left = [*unnamed(site), *site.staging.glob("*")]
    if left:
        yield Found(
            "versions", f"{len(left)} folders of killed runs; the next update goes on from them or removes them"
        )


def _key(site: Site) -> Iterator[Found]:
    key, path = load_key(site.folder), key_file()
    with transaction(site.engine) as connection:
        other = connection.execute(select(vault.c.key_id).where(vault.c.key_id != key.id).limit(1)).scalar()
    if other:
        words = f"'{path}' is the key {key.id}, the vault was filled under {other}: set REGRAFT_KEY_FILE to that one"
        yield Found("key", words, problem=True)
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Found("key", f"'{path}' can be read by others: chmod 600 {path}", problem=True)
    else:
        yield Found("key", f"'{path}' is the key {key.id}, outside of the site")


def _spool(site: Site) -> Iterator[Found]:
    for kind in ("events", "lists"):
        segments = spool.segments(site.spool / kind)
        size = sum(path.stat().st_size for path in segments)
        yield Found("spool", f"{kind}: {len(segments)} segments, {size / 2**20:,.1f} MiB")


def _erased(site: Site) -> Iterator[Found]:
    with transaction(site.engine) as connection:
        waiting = erasures.open_ones(connection)
    if waiting:
        yield Found("erased", f"{len(waiting)} erasures wait: regraft forget {site.folder}", problem=True)
    if people := returned(site):
        words = (
            f"{len(people)} people who were erased are here again, from an older backup: regraft forget {site.folder}"
        )
        yield Found("erased", words, problem=True)
    if not waiting and not people:
        yield Found("erased", f"nobody waits to be erased, and nobody on the list '{erased_file()}' is here again")
