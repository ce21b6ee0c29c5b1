"""What killed processes left in a site, looked at before any work: removed after a day, or taken up again.

    data files that no row lists, staging folders    removed after a day
    a version's folder without a row                 goes back to the staging folder of its run, which then goes on
                                                     from it; removed where it is not whole
    a version whose files are damaged                is marked and never gone on from; the one before it is

The caller holds the lease, so nobody else is about to name any of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from regraft.data.store import sha256
from regraft.errors import ModelError
from regraft.files import remove
from regraft.release.journal import boundary, journal
from regraft.setup.config import ContenderOptions
from regraft.setup.manifest import MANIFEST, verify
from regraft.setup.site import Site
from regraft.state import files, lease, versions
from regraft.state.database import transaction
from regraft.state.lease import Lease
from regraft.state.versions import Version

LEFT = 24 * 3600.0  # seconds after which what is not listed is removed


@contextmanager
def working(site: Site, kind: str) -> Iterator[Lease]:
    """Inside, the site's lease is held and every step is written down; what killed processes left is seen to first."""
    with lease.holding(site.engine, site.lease_name) as held, journal(site, kind):
        boundary("recover", **recover(site, held))
        yield held


def recover(site: Site, held: Lease, left: float = LEFT) -> dict[str, int]:
    """How many folders of versions were taken back, files and folders removed, versions found damaged."""
    taken = _take_back(site)
    until = time.time() - left
    removed = sweep(site, until=until)
    for folder in sorted(site.staging.glob("*")):
        if _newest(folder) < until:
            remove(folder)
            removed += 1
    return {"taken_back": taken, "removed": removed, "damaged": _mark_damaged(site, held)}


def sweep(site: Site, among: Collection[str] | None = None, until: float = float("inf")) -> int:
    """Deletes unlisted data files, `among` these names where given, last written before `until`; how many."""
    removed = 0
    for path in unlisted(site):
        if (among is None or str(path.relative_to(site.data)) in among) and path.stat().st_mtime < until:
            remove(path)
            removed += 1
    return removed


def unlisted(site: Site) -> list[Path]:
    """Files in the folder of data that no row lists."""
    with transaction(site.engine) as connection:
        known = {file.name for file in files.listed(connection, states=files.STATES)}
    return [path for path in sorted(site.data.glob("*/*")) if str(path.relative_to(site.data)) not in known]


def unnamed(site: Site) -> list[Path]:
    """Folders of versions that no row names: a killed process published them and did not commit."""
    with transaction(site.engine) as connection:
        known = {version.name for version in versions.listed(connection)}
    return [path for path in sorted(site.versions.glob("*")) if path.name not in known and path != site.staging]


def _take_back(site: Site) -> int:
    taken = 0
    for folder in unnamed(site):
        try:
            verify(folder, sha256(folder / MANIFEST))
            found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            label = ContenderOptions.model_validate(found["lineage"]["contender"]).label
            place = site.staging / found["run"] / label
        except (OSError, ValueError, KeyError, ModelError):  # not whole, or not of an update
            remove(folder)
            continue
        if place.exists():  # the run was begun again, and got further
            remove(folder)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(place)
        taken += 1
    return taken


def _mark_damaged(site: Site, held: Lease) -> int:
    """Verifies the versions that an alias points to or that an update would go on from; how many are damaged.

    One that was damaged and is whole again, from a backup, is good again.
    """
    with transaction(site.engine) as connection:
        listed = versions.listed(connection)
        pointed = {found.version for name in versions.ALIASES if (found := versions.alias(connection, name))}
    good = {v.name: v for v in listed if v.state == versions.GOOD}
    mended = [v.name for v in listed if v.state == versions.DAMAGED and _whole(site, v)]
    damaged = [name for name in sorted(pointed & set(good)) if not _whole(site, good.pop(name))]
    for label in {v.contender for v in good.values()}:
        own = [v for v in good.values() if v.contender == label]
        while own and not _whole(site, own[-1]):
            damaged.append(own.pop().name)
    if damaged or mended:
        with transaction(site.engine) as connection:
            lease.demand(connection, held)
            versions.set_state(connection, damaged, versions.DAMAGED)
            versions.set_state(connection, mended, versions.GOOD)
    return len(damaged)


def _whole(site: Site, version: Version) -> bool:
    try:
        verify(site.versions / version.name, version.manifest)
    except ModelError:
        return False
    return True


def demand_whole(site: Site) -> None:
    """ModelError where the version in service is damaged; a server that has it in memory goes on with it."""
    with transaction(site.engine) as connection:
        listed, champion = versions.listed(connection), versions.alias(connection, "champion")
    state = {v.name: v.state for v in listed}
    if champion and state[champion.version] == versions.DAMAGED:
        good = [name for name, one in state.items() if one == versions.GOOD]
        raise ModelError(
            "version '{version}'", "is in service and its files are damaged", "the files as they were published",
            "Restore them from a backup, or go back to another version with: regraft rollback {site} {good}",
            version=champion.version, site=site.folder, good=good[-1] if good else "VERSION",
        )  # fmt: skip


def _newest(folder: Path) -> float:
    """When a file of the folder was last written."""
    return max((path.stat().st_mtime for path in (folder, *folder.rglob("*"))), default=0.0)
