"""What a server answers from: versions by arm, and the site up to its last close.

Events move it; it is swapped whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from regraft.data.assign import HOLDOUT, TREATMENT, Split
from regraft.data.labels import LabelRule
from regraft.errors import StateError
from regraft.plugins import names, plugin_class
from regraft.prompts.live import Event, Live
from regraft.serving.candidates.protocol import Candidates, Snapshot
from regraft.serving.loaded import Loaded
from regraft.setup.manifest import verify
from regraft.setup.site import Site
from regraft.state import erasures, files, pilots, vault, versions
from regraft.state.database import transaction
from regraft.state.tables import batches, periods
from regraft.state.versions import Alias
from regraft.workbench import Workbench


@dataclass(frozen=True)
class Stamp:
    """By which a server sees that the site has moved on."""

    alias: Alias  # the champion's
    data: tuple[int, ...]  # closes, batches out of use, erasures done: what facts are made from
    split: Split
    others: tuple[tuple[str, Alias], ...]  # by arm, where another version than the champion is served


@dataclass(frozen=True)
class Data:
    """The site up to its last close, and the live state that events move."""

    bench: Workbench
    live: Live
    sources: dict[str, Candidates]
    uids: dict[str, str]
    probe: list[str]
    closed: int  # end of the last closed period, ms
    rule: LabelRule

    def uid(self, pseudonym: str) -> str:
        """By which facts know a person; a stranger goes by the pseudonym."""
        return self.uids.get(pseudonym, pseudonym)

    def tell(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Moves facts on by spooled events."""
        for row in rows:
            label = self.rule.of(row["event"], row["value"])
            self.live.tell(Event(self.uid(row["pseudonym"]), row["item_id"], row["time"], label))


@dataclass(frozen=True)
class Standing:
    """All that requests are answered from."""

    stamp: Stamp
    data: Data
    loaded: Loaded  # the champion
    others: Mapping[str, Loaded] = field(default_factory=dict)  # by arm

    def of(self, pseudonym: str) -> tuple[str, Loaded]:
        """(arm, version) for a person. Where the arm's own version could not be loaded it is the champion's."""
        arm = self.stamp.split.arm(pseudonym)
        return arm, self.others.get(arm, self.loaded)


def stamp(connection: Connection, holdout: float = 0.0) -> Stamp:
    """How the site stands, a share of whose people is held out; a few small queries."""
    alias = versions.alias(connection, "champion")
    if alias is None:
        raise StateError("site", "has no version yet", "a site made by regraft init")
    closes = connection.execute(select(func.count()).select_from(periods)).scalar_one()
    out = connection.execute(
        select(func.coalesce(func.sum(batches.c.id), 0)).where(batches.c.state != files.ACCEPTED)
    ).scalar_one()
    done = len(erasures.erased(connection))
    return Stamp(alias, (int(closes), int(out), done), *_arms(connection, holdout))


def _arms(connection: Connection, holdout: float) -> tuple[Split, tuple[tuple[str, Alias], ...]]:
    """How people are split, and what those are served who are not served the champion."""
    frozen = versions.alias(connection, "holdout") if holdout else None
    pilot = pilots.running(connection)
    rival = versions.alias(connection, "challenger") if pilot else None
    split = Split(pilot.salt if pilot else "", pilot.share if pilot else 0.0, holdout if frozen else 0.0)
    return split, tuple((arm, a) for arm, a in ((TREATMENT, rival), (HOLDOUT, frozen)) if a)


def read_data(site: Site) -> Data:
    """Facts, candidates and uids of the site up to its last close."""
    with transaction(site.engine) as connection:
        cuts, uids = site.closed_cuts(connection), vault.everybody(connection)
    stream, catalogue = site.stream(cuts), site.catalogue()
    bench = Workbench(site, stream)
    snapshot = Snapshot(stream, catalogue)
    sources: dict[str, Candidates] = {name: plugin_class("candidates", name)(snapshot) for name in names("candidates")}
    probe = catalogue["item_id"].head(3).to_list()
    rule = LabelRule(site.options.data.label)
    return Data(bench, bench.live(stream, catalogue), sources, uids, probe, cuts.end, rule)


def load(site: Site, data: Data, alias: Alias) -> Loaded:
    """The version behind an alias, verified and probed; ModelError where it cannot serve."""
    with transaction(site.engine) as connection:
        version = versions.version(connection, alias.version)
    folder = site.versions / alias.version
    verify(folder, version.manifest)
    found = Loaded(alias.version, alias.epoch, data.bench.released(version), folder)
    found.score(data.live.request("", data.probe, data.live.now))
    return found
