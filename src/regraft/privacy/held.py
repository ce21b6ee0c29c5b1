"""Everything that a site holds on one person, to be read by them: what `regraft export-person` prints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from regraft.data import spool, store
from regraft.data.pseudonyms import load_key
from regraft.privacy import exposure
from regraft.privacy.scan import holding
from regraft.setup.site import Site
from regraft.state import files, objections, vault
from regraft.state.database import transaction
from regraft.state.tables import erasures

LISTED = ("data", "spool")  # folders whose content is given line by line


def held_on(site: Site, user: str) -> dict[str, Any]:
    """What is held, as JSON can hold it, times as ISO 8601 in UTC; where nothing is, all its lists are empty."""
    key = load_key(site.folder)
    (pseudonym,) = key.pseudonyms([user])
    titles = dict(site.catalogue().select("item_id", "title").iter_rows())
    with transaction(site.engine) as connection:
        uid = vault.uids(connection, [pseudonym], key.id).get(pseudonym, "")
        listed = exposure.files_with(site, connection, uid) if uid else []
        exposed = exposure.exposed(connection, exposure.first_known(site, listed, uid))
        since = objections.objecting(connection).get(uid)
        asked = _erasures(connection, uid)
        states = {file.name: state for state in files.STATES for file in files.listed(connection, states=[state])}
    rows = [
        {**_readable(row, titles), "rows_are": states[file.name]}
        for file in listed
        for row in store.read(site.data, [file]).filter(uid=uid).drop("uid").iter_rows(named=True)
    ]
    return {
        "person": user, "pseudonym": pseudonym, "uid": uid or None, "rows": rows,
        "spooled_events": _spooled(site, "events", pseudonym, titles),
        "served_lists": _spooled(site, "lists", pseudonym, titles),
        "set_aside": _set_aside(site, user), "objects_since": None if since is None else _time(since),
        "erasures": asked,
        "versions_that_saw_them": [
            {"version": v.name, "contender": v.contender, "state": v.state, "saw_nothing_from": _time(v.cut)}
            for v in exposed
        ],
        "other_files": [str(path) for path in _within(site, holding(site, [uid, pseudonym])) if _other(path)],
    }  # fmt: skip


def _within(site: Site, paths: Iterable[Path]) -> Iterator[Path]:
    """As seen from the site's folder, where they lie in it."""
    for path in paths:
        yield path.relative_to(site.folder) if path.is_relative_to(site.folder) else path


def _other(path: Path) -> bool:
    return path.is_absolute() or (path.parts[0] not in LISTED and len(path.parts) > 1)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def _readable(row: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    """Without what is empty, with the item's title, times as text."""
    found = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return {**{n: v for n, v in found.items() if v is not None}, "title": titles.get(row["item_id"])}


def _spooled(site: Site, kind: str, pseudonym: str, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    lines = [row for segment in spool.segments(site.spool / kind) for row in spool.read(segment)]
    mine = [row for row in lines if row["pseudonym"] == pseudonym]
    for row in mine:
        row["time"] = _time(row["time"])
        named = row.get("items") or [row.get("item_id")]
        row["titles"] = [titles.get(item) for item in named]
    return mine


def _set_aside(site: Site, user: str) -> list[str]:
    """Lines that nobody could read in which the id stands as a word of its own."""
    wanted = re.compile(rf"(?<![\w-]){re.escape(user)}(?![\w-])")
    found = (path.read_text(encoding="utf-8", errors="replace") for path in sorted((site.spool / "aside").glob("*")))
    return [line for text in found for line in text.splitlines() if wanted.search(line)]


def _erasures(connection: Connection, uid: str) -> list[dict[str, Any]]:
    rows = connection.execute(select(erasures).where(erasures.c.uid == uid).order_by(erasures.c.id)) if uid else ()
    return [{"request": row.id, "asked": _time(row.at), "last_step": row.step} for row in rows]
