"""Many small day files become few: one per day. What the site's rows are, and which batch each came with, stays.

Only days that are closed, and older than all that the gate compares a day with, are touched: recent batches can be
held, skipped and rolled back one by one. One SQL transaction puts the new files on the list in the place of the old
ones, which are deleted after it; killed before it nothing has changed, killed after it the rows are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from regraft.data import store
from regraft.errors import StateError
from regraft.release.arrivals import EARLIER
from regraft.release.journal import boundary
from regraft.release.recovery import sweep
from regraft.release.runs import date_of, waiting
from regraft.setup.site import DAY, Site
from regraft.state import compactions, files, lease
from regraft.state.compactions import Source
from regraft.state.database import transaction
from regraft.state.files import Listed
from regraft.state.lease import Lease

KEEP = EARLIER  # newest closed days that are left as they are


@dataclass(frozen=True)
class Compacted:
    """Files before and after, and the rows in them."""

    before: int
    after: int
    rows: int


def compact(site: Site, held: Lease, keep: int = KEEP, tell: Callable[[str], object] = str) -> Compacted:
    """Merges the files of every closed day but the `keep` newest ones; a day with one file is left as it is.

    StateError while a run is held: what a person accepts is told by the names of the files that they looked at.
    """
    with transaction(site.engine) as connection:
        if run := waiting(connection):
            raise StateError(
                f"run {run}", "is held by the gate and waits for a person", "no run that waits",
                f"regraft update {site.folder} --accept {run}, or --skip {run}",
            )  # fmt: skip
        cuts, listed = site.closed_cuts(connection), files.listed(connection)
        merged = compactions.sources(connection)
    before = date_of(cuts.end - keep * DAY)
    by_day: dict[str, list[Listed]] = {}
    for file in listed:
        if file.day != store.ITEMS and file.day < before:
            by_day.setdefault(file.day, []).append(file)
    old, new, sources = [], [], {}  # type: ignore[var-annotated]
    for day, of_day in by_day.items():
        closed = [f for f in of_day if store.newest_known(site.data, f) < cuts.end] if len(of_day) > 1 else []
        if len(closed) > 1:
            tell(f"{day}: {len(closed)} files become one")
            rows = store.read(site.data, closed)
            new += store.write(site.data, rows)
            old += closed
            for file in closed:
                _note(sources, _sources(site, file, merged.get(file.batch)))
    boundary("write")
    if old:
        with transaction(site.engine) as connection:
            lease.demand(connection, held)
            compactions.add(connection, sources, old, new)
        boundary("flip")
        sweep(site, {file.name for file in old})
    return Compacted(len(old), len(new), sum(file.rows for file in new))


def _sources(site: Site, file: Listed, parts: list[Source] | None) -> Iterable[tuple[int, int, int]]:
    """(batch, first, last row id) of the batches that the rows of a file came with."""
    ids = store.read(site.data, [file], ["row_id"])["row_id"]
    if parts is None:
        return [(file.batch, int(ids.min()), int(ids.max()))]  # type: ignore[arg-type]
    own = ((part.source, ids.filter(ids.is_between(part.first, part.last))) for part in parts)
    return [(source, int(found.min()), int(found.max())) for source, found in own if len(found)]  # type: ignore[arg-type]


def _note(sources: dict[int, tuple[int, int]], found: Iterable[tuple[int, int, int]]) -> None:
    for source, first, last in found:
        low, high = sources.get(source, (first, last))
        sources[source] = min(low, first), max(high, last)
