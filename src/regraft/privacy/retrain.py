"""A version made again from what its lineage records - cuts, batches, seeds, settings - on the data that are left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from regraft.data.sides import Side
from regraft.errors import NoRowsError, StateError
from regraft.release import close
from regraft.release.close import SECONDS_ALL
from regraft.setup.config import ContenderOptions
from regraft.setup.site import Site, days_cuts
from regraft.setup.site_options import SiteOptions
from regraft.state import versions
from regraft.state.database import transaction
from regraft.state.tables import periods
from regraft.state.versions import Version
from regraft.workbench import CONTENDER, Workbench

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Remade:
    """`folder` holds the contender; `took` is what its last close took."""

    folder: Path
    took: Mapping[str, Any]


def retrain(site: Site, version: Version, staging: Path, tell: Tell = str) -> Remade | None:
    """Closes all periods again that lie behind the version, from the first of its line on.

    What is finished is kept in `staging`, so that a killed call goes on from it. None where all rows that it was made
    from were kept no longer.
    """
    line = _line(site, version)
    contender = ContenderOptions.model_validate(version.lineage["contender"])
    with transaction(site.engine) as connection:
        rows = connection.execute(periods.select().order_by(periods.c.number)).all()
    begins, ends = [row.begins for row in rows], [row.ends for row in rows]
    parent: Path | None = None
    took: Mapping[str, Any] = {}
    for link in line:
        numbers = link.lineage["closes"]
        cuts = days_cuts(begins[: numbers[-1]], ends[numbers[-1] - 1])
        batches = frozenset(number for number, _ in link.lineage["batches"])
        then = replace(site, options=SiteOptions.model_validate(link.lineage["settings"]))
        side = Side(**link.lineage["side"]) if link.lineage.get("side") else None
        try:
            bench = Workbench(then, then.stream(cuts, of=batches, side=side), side)
        except NoRowsError:  # all of its rows were kept no longer
            continue
        for number in numbers:
            if not len(bench.past(number)):  # its rows were kept no longer
                continue
            work = [close.Work(contender, None, parent)]
            close.judge(bench, work, number)
            place = staging / f"{number}"
            took = close.renew(bench, work, number, place, tell)[contender.label]
            parent = place / contender.label / CONTENDER
    return Remade(parent.parent, took) if parent else None


def seconds_of(connection: Connection, version: Version) -> float:
    """What all closes that lie behind a version took: about what making it again takes."""
    line = [one.lineage for one in _descent(connection, version)]
    return sum(one.get(SECONDS_ALL, one.get("seconds", 0.0) * len(one.get("closes", ()))) for one in line)


def _descent(connection: Connection, version: Version) -> list[Version]:
    """The version and those it goes back to, the first one first; destroyed ones are still listed."""
    line = [version]
    while parent := line[0].lineage["parent"]:
        line.insert(0, versions.version(connection, parent))
    return line


def _line(site: Site, version: Version) -> list[Version]:
    with transaction(site.engine) as connection:
        line = _descent(connection, version)
    if any("closes" not in one.lineage or "settings" not in one.lineage for one in line):
        raise StateError(
            "version '{version}'", "does not say how it was made", "one made by this version", version=version.name
        )
    return line
