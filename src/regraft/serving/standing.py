"""What a server answers from: versions by arm, and the site up to its last close.

Events move it; it is swapped whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from sqlalchemy import Connection, func, select

from regraft.data import store
from regraft.data.assign import COMPARED, HOLDOUT, TREATMENT, Split
from regraft.data.labels import LabelRule
from regraft.data.sides import Side, hears, keeps_alone
from regraft.errors import ModelError, RegraftError
from regraft.plugins import names, plugin_class
from regraft.prompts.live import Event, Live, Quiet
from regraft.release import retention
from regraft.serving.candidates.protocol import Candidates, Snapshot
from regraft.serving.loaded import Loaded
from regraft.setup.manifest import verify
from regraft.setup.site import DAY, Site
from regraft.state import erasures, files, objections, pilots, vault, versions
from regraft.state.database import transaction
from regraft.state.tables import batches, ledger, periods
from regraft.state.versions import Alias
from regraft.workbench import Workbench

Refused = Callable[[str, str, str, RegraftError], object]  # arm, version, what serves the arm instead, why
REST = 7 * DAY  # ms, for which an item that was shown in vain is not recommended to the same person again


@dataclass(frozen=True)
class Stamp:
    """By which a server sees that the site has moved on."""

    alias: Alias  # the champion's
    data: tuple[int, ...]  # closes, batches out of use, erasures done, retentions, objections: what facts are made from
    split: Split
    others: tuple[tuple[str, Alias], ...]  # by arm, where another version than the champion is served
    sides: tuple[Side, ...] = ()  # of the control and of the treatment, where a pilot keeps what they do apart

    @property
    def read(self) -> tuple[object, ...]:
        """All that a reading of the site depends on."""
        return self.data, self.sides


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
    side: Side | None = None

    def uid(self, pseudonym: str) -> str:
        """By which facts know a person; a stranger goes by the pseudonym."""
        return self.uids.get(pseudonym, pseudonym)

    def tell(self, rows: Iterable[Mapping[str, Any]], arms: Iterable[str]) -> None:
        """Moves facts on by those of the spooled events, each of a person of an arm, that count on this side."""
        told = []
        for row, arm in zip(rows, arms, strict=True):
            label = self.rule.of(row["event"], row["value"])
            if label is None or not hears(self.side, arm):
                continue  # as in training: a rule about values does not speak of every event
            alone = keeps_alone(self.side, arm)
            told.append(Event(self.uid(row["pseudonym"]), row["item_id"], row["time"], label, alone))
        self.live.tell(told)


@dataclass(frozen=True)
class Standing:
    """All that requests are answered from."""

    stamp: Stamp
    data: Data  # what everybody's answers come from, but for an arm that is kept `apart`
    loaded: Loaded  # the champion
    others: Mapping[str, Loaded] = field(default_factory=dict)  # by arm
    apart: Data | None = None  # the treatment's

    def of(self, pseudonym: str) -> tuple[str, Loaded, Data]:
        """(arm, version, data) for a person. Where the arm's own version could not be loaded it is the champion's."""
        arm = self.stamp.split.arm(pseudonym)
        loaded = self.others.get(arm)
        if loaded is None or arm != TREATMENT or self.apart is None:
            return arm, loaded or self.loaded, self.data
        return arm, loaded, self.apart

    @property
    def names(self) -> str:
        """The versions that serve, in words."""
        return ", ".join([self.loaded.name, *(f"{one.name} ({arm})" for arm, one in self.others.items())])

    def tell(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Moves facts on by spooled events, on every side that they count on."""
        arms = [self.stamp.split.arm(row["pseudonym"]) for row in rows]
        for data in (self.data, self.apart):
            if data is not None:
                data.tell(rows, arms)


def stamp(connection: Connection, holdout: float = 0.0) -> Stamp:
    """How the site stands, a share of whose people is held out; a few small queries."""
    alias = versions.alias(connection, "champion")
    if alias is None:
        raise versions.none_yet()
    closes = connection.execute(select(func.count()).select_from(periods)).scalar_one()
    out = connection.execute(
        select(func.coalesce(func.sum(batches.c.id), 0)).where(batches.c.state != files.ACCEPTED)
    ).scalar_one()
    done = len(erasures.erased(connection))
    let_go = connection.execute(
        select(func.count()).select_from(ledger).where(ledger.c.kind == retention.KIND)
    ).scalar_one()
    data = (int(closes), int(out), done, int(let_go), *objections.moves(connection))
    return Stamp(alias, data, *_arms(connection, holdout))


def _arms(
    connection: Connection, holdout: float
) -> tuple[Split, tuple[tuple[str, Alias], ...], tuple[Side, ...]]:  # fmt: skip
    """How people are split, what those are served who are not served the champion, and who learns from whom."""
    frozen = versions.alias(connection, "holdout") if holdout else None
    pilot = pilots.running(connection)
    rival = versions.alias(connection, "challenger") if pilot else None
    split = Split(pilot.salt if pilot else "", pilot.share if pilot else 0.0, holdout if frozen else 0.0)
    others = tuple((arm, a) for arm, a in ((TREATMENT, rival), (HOLDOUT, frozen)) if a)
    sides = [Site.side_of(connection, pilot.plan[arm]) for arm in COMPARED if arm in pilot.plan] if pilot else []
    return split, others, tuple(side for side in sides if side)


def standing(site: Site, now: Stamp, refused: Refused) -> Standing:
    """All that is answered from as the stamp has it: the site read, and every arm's version loaded."""
    control, treatment = now.sides or (None, None)
    data = read_data(site, control)
    apart = read_data(site, treatment) if treatment else None
    return Standing(now, data, load(site, data, now.alias), others(site, now, data, apart, {}, refused), apart)


def others(
    site: Site, now: Stamp, data: Data, apart: Data | None, kept: Mapping[str, Loaded], refused: Refused
) -> dict[str, Loaded]:  # fmt: skip
    """The versions of arms that are not served the champion; `kept` are loaded already.

    The arm of one that cannot be loaded is served what it was, else the champion; `refused` is told.
    """
    found: dict[str, Loaded] = {}
    for arm, alias in now.others:
        old = kept.get(arm)
        if old and (old.name, old.epoch) == (alias.version, alias.epoch):
            found[arm] = old
            continue
        try:
            found[arm] = load(site, apart if apart and arm == TREATMENT else data, alias)
        except RegraftError as error:
            refused(arm, alias.version, old.name if old else "the champion", error)
            found |= {arm: old} if old else {}
    return found


def read_data(site: Site, side: Side | None = None) -> Data:
    """Facts, candidates and uids of the site up to its last close, of a pilot as one side sees it."""
    with transaction(site.engine) as connection:
        cuts, uids = site.closed_cuts(connection), vault.everybody(connection)
    stream, catalogue = site.stream(cuts, side=side), site.catalogue()
    rule = LabelRule(site.options.data.label)
    bench = Workbench(site, stream, side)
    snapshot = Snapshot(stream, catalogue)
    sources: dict[str, Candidates] = {name: plugin_class("candidates", name)(snapshot) for name in names("candidates")}
    probe = catalogue["item_id"].head(3).to_list()
    rested = site.shown_in_vain(stream) & (stream.time < cuts.end - REST)
    own = site.own_rows(cuts, side)
    own = own.filter((own["event"] != store.IMPRESSION) | (own["known_at"].dt.epoch("ms") >= cuts.end - REST))
    live = bench.live(stream, catalogue, rested, Quiet(site.objecting(), _events(own, rule)))
    return Data(bench, live, sources, uids, probe, cuts.end, rule, side)


def _events(rows: pl.DataFrame, rule: LabelRule) -> list[Event]:
    told = rows.select("uid", "item_id", pl.col("known_at").dt.epoch("ms"), "event", "value").iter_rows()
    labelled = ((uid, item, time, rule.of(event, value)) for uid, item, time, event, value in told)
    return [Event(uid, item, time, label) for uid, item, time, label in labelled if label is not None]


def load(site: Site, data: Data, alias: Alias) -> Loaded:
    """The version behind an alias, verified and probed; ModelError where it cannot serve."""
    with transaction(site.engine) as connection:
        version = versions.version(connection, alias.version)
    folder = site.versions / alias.version
    verify(folder, version.manifest)
    try:
        found = Loaded(alias.version, alias.epoch, data.bench.released(version), folder)
        found.score(data.live.request("", data.probe, data.live.now))
    except RegraftError:
        raise
    except Exception as error:  # numbers that are none may stop a contender in any way
        raise ModelError(
            f"version '{alias.version}'", f"fails when asked: {type(error).__name__}: {error}", "a score per item",
            "Go back to another version with: regraft rollback SITE VERSION",
        ) from error  # fmt: skip
    return found
