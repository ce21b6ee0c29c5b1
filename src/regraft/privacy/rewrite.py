"""Data files without a person: written anew, the list flipped in one transaction, only then the old ones deleted."""

from __future__ import annotations

from collections.abc import Iterable

from regraft.data import store
from regraft.release.recovery import sweep
from regraft.setup.site import Site
from regraft.state import files, lease
from regraft.state.database import transaction
from regraft.state.files import Listed
from regraft.state.lease import Lease


def without_person(site: Site, held: Lease, listed: Iterable[Listed], uid: str) -> dict[str, int]:
    """Takes the person's rows out of these files; gives what was removed: files and rows.

    A file keeps its batch and its other rows as they are. Killed before the transaction, nothing has changed; killed
    after it, old files lie unlisted, and the next call deletes them.
    """
    removed, new = 0, []
    for file in (old := list(listed)):
        rows = store.read(site.data, [file])
        kept = rows.filter(rows["uid"] != uid)
        removed += len(rows) - len(kept)
        new += [(written, file.batch) for written in store.write(site.data, kept)]
    with transaction(site.engine) as connection:
        lease.demand(connection, held)
        files.replace(connection, [file.name for file in old], new)
    sweep(site)
    return {"files": len(old), "rows": removed}
