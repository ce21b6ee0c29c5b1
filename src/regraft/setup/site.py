"""A site: one folder that holds one recommender in service.

    regraft.yaml  data/  state.db  versions/  cache/  spool/  reports/

What is in service is decided in SQL (state.db, or a PostgreSQL by URL); folders hold what it names.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import Connection, Engine, select

from regraft.data import spool, store
from regraft.data.assign import CONTROL, TREATMENT
from regraft.data.build import build_stream
from regraft.data.interactions import TIME, by_arrival
from regraft.data.labels import LabelRule
from regraft.data.periods import EARLIEST, Cuts, Periods
from regraft.data.served import asked_when_shown
from regraft.data.sides import SHARED, Side, alone, keeps_alone, seen_from
from regraft.data.stream import Stream
from regraft.errors import DataError, StateError
from regraft.prompts.template import Template
from regraft.setup.config import ContenderOptions
from regraft.setup.site_options import FILE, SiteOptions
from regraft.state import compactions, files, objections, pilots, templates
from regraft.state.database import open_database, transaction
from regraft.state.tables import periods
from regraft.state.versions import none_yet

DAY = 86_400_000  # ms
FOLDERS = ("data", "versions", "cache", "spool", "reports")
# Columns that models learn from: the identity of a row, a third of its bytes, is for ingest alone.
LEARNT = tuple(name for name in store.STORED if name not in ("identity", "version", "position"))


@dataclass(frozen=True)
class Site:
    """An opened site."""

    folder: Path
    options: SiteOptions
    engine: Engine

    @classmethod
    def open(cls, folder: Path) -> Site:
        """The site in a folder; ConfigError or StateError where it is none."""
        options = SiteOptions.read(folder / FILE)
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True)
        url = options.database or f"sqlite:///{(folder / 'state.db').resolve()}"
        engine = open_database(url)
        return cls(folder, _with_live_template(options, engine), engine)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def versions(self) -> Path:
        return self.folder / "versions"

    @property
    def staging(self) -> Path:
        """Where versions are prepared, a folder per run."""
        return self.versions / ".staging"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def template(self, name: str) -> Template:
        """A template of the library, or of a file as seen from the site; a saved one is what was saved, to the byte.

        Raises TemplateError where there is none, StateError where the file of a saved one was changed.
        """
        with transaction(self.engine) as connection:
            saved = templates.in_file(connection, name)
        place = self.folder / name
        if saved is None:
            return Template.load(place if place.is_file() else name)
        if place.is_file() and place.read_bytes() != saved.source.encode():
            raise StateError(
                "file '{place}'", "is not the text that was saved as {saved}", "a file that nobody edits",
                "Save what it holds as a new draft: regraft prompt save {site} {place}",
                place=place, saved=saved.said, site=self.folder,
            )  # fmt: skip
        return Template(saved.source, saved.name)

    # -- what is known -------------------------------------------------------------------------

    def cuts(self, connection: Connection) -> Cuts | None:
        """Where the closed periods begin and the last one ends; None before the first close."""
        rows = connection.execute(select(periods).order_by(periods.c.number)).all()
        return days_cuts([row.begins for row in rows], rows[-1].ends) if rows else None

    def closed_cuts(self, connection: Connection) -> Cuts:
        """As `cuts`; StateError before the first close."""
        if (found := self.cuts(connection)) is None:
            raise none_yet(self.folder)
        return found

    def stream(
        self, cuts: Cuts, held: bool = False, of: Collection[int] | None = None, side: Side | None = None,
        everybody: bool = False,
    ) -> Stream:  # fmt: skip
        """The accepted rows of the site up to the last of the cuts, as a stream; but those of people who object.

        With `held`, those that the gate holds too: what an update looks at. Or those `of` batches by number. Of a
        pilot, what counts on one `side`. With `everybody`, those of people who object as well.
        """
        rows, items = self._read(held, of)
        rows = self.with_meaning(rows.filter(pl.col("known_at").dt.epoch("ms") < cuts.end))
        if not everybody:
            rows = rows.filter(~pl.col("uid").is_in(list(self.objecting())))
        rule = LabelRule(self.options.data.label)
        if rule.about_events:
            rows = asked_when_shown(rows, rule.expression())
        rows = seen_from(rows, side)
        return build_stream(
            rows.rename({"uid": "user_id", "time": "timestamp"}), items, self.options.data.label,
            Periods(by="calendar", every="1d"), negatives=self.options.data.negatives,
            seed=self.options.seed, name=self.options.name, cuts=cuts,
        )  # fmt: skip

    def rows(self, since: int, until: int) -> pl.DataFrame:
        """The accepted rows that happened in [since, until) (ms), with the columns of data.store.STORED."""
        first, last = (f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}" for ms in (max(since, 0), until))
        with transaction(self.engine) as connection:
            listed = [f for f in files.listed(connection) if f.day != store.ITEMS and first <= f.day <= last]
        found = store.read(self.data, listed)
        return found.filter(pl.col("time").dt.epoch("ms").is_between(since, until, closed="left"))

    @staticmethod
    def side_of(connection: Connection, contender: str) -> Side | None:
        """The side of the running pilot that a contender learns for; None: it learns from everybody."""
        pilot = pilots.running(connection)
        if pilot is None or pilot.begun is None or pilot.plan.get("slice", SHARED) == SHARED:
            return None
        arm = {pilot.plan["control"]: CONTROL, pilot.plan["treatment"]: TREATMENT}.get(contender)
        return Side(arm, pilot.plan["slice"], pilot.begun) if arm else None

    def base_stream(self, stream: Stream) -> Stream:
        """As `stream`, with people who object since: a base model that was built from its warm-up is found again."""
        if not self.objecting():
            return stream
        return self.stream(days_cuts(list(stream.cuts[:-1]), stream.cuts[-1]), everybody=True)

    def objecting(self) -> set[str]:
        """uids of people who are served and never learnt from."""
        with transaction(self.engine) as connection:
            return set(objections.objecting(connection))

    def own_rows(self, cuts: Cuts, side: Side | None = None) -> pl.DataFrame:
        """Accepted rows up to the last of the cuts that only those who did them are answered from, as they came.

        Of people who object, and of those whom a pilot keeps alone on this `side`.
        """
        people = self.objecting()
        if not people and not keeps_alone(side, TREATMENT):
            return pl.DataFrame(schema=store.STORED)
        rows = self.with_meaning(self._read(False, None)[0])
        rows = rows.filter(pl.col("known_at").dt.epoch("ms") < cuts.end)
        objects = pl.col("uid").is_in(list(people))
        return by_arrival(pl.concat([rows.filter(objects), alone(rows.filter(~objects), side)]))

    def with_meaning(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that the label rule speaks of: all where it is about events; under others none that was shown only.

        Under a rule about values a row without one says nothing, unless no row has any: then the rule is wrong.
        """
        rule = LabelRule(self.options.data.label)
        if rule.about_events:
            return rows
        rows = rows.filter(pl.col("event").ne_missing(store.IMPRESSION))
        return rows if rule.implicit or not rows["value"].count() else rows.filter(pl.col("value").is_not_null())

    def _read(self, held: bool, of: Collection[int] | None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Events (LEARNT) and texts of items; read once more where a file was compacted, or rewritten, meanwhile."""
        states = files.STATES if of is not None else files.TO_CLOSE if held else (files.ACCEPTED,)
        with transaction(self.engine) as connection:
            listed = files.listed(connection, states=states)
            merged = compactions.sources(connection) if of is not None else {}
        if of is not None:
            listed = [f for f in listed if f.batch in of or any(part.source in of for part in merged.get(f.batch, ()))]
        try:
            rows = store.read(self.data, [f for f in listed if f.day != store.ITEMS], LEARNT)
            items = store.read_items(self.data, [f for f in listed if f.day == store.ITEMS])
        except DataError:
            with transaction(self.engine) as connection:
                if set(listed) <= set(files.listed(connection, states=files.STATES)):
                    raise
            return self._read(held, of)
        for part in (part for parts in merged.values() for part in parts if of is not None and part.source not in of):
            rows = rows.filter(~pl.col("row_id").is_between(part.first, part.last))
        return rows, items

    def shown_in_vain(self, stream: Stream) -> np.ndarray:
        """bool per row of a stream of this site: its item was shown, and not answered."""
        with transaction(self.engine) as connection:
            listed = [f for f in files.listed(connection, states=files.TO_CLOSE) if f.day != store.ITEMS]
        rows = store.read(self.data, listed, ["row_id", "event"])
        return np.isin(stream.row_id, rows.filter(pl.col("event") == store.IMPRESSION)["row_id"].to_numpy())

    def catalogue(self) -> pl.DataFrame:
        """item_id, title and attributes of all items, in the order in which they became known."""
        with transaction(self.engine) as connection:
            listed = files.listed(connection, [store.ITEMS])
        return store.read_items(self.data, listed).unique("item_id", keep="last", maintain_order=True).drop("known_at")

    def spooled_events(self, since: int) -> list[dict[str, Any]]:
        """Events that servers have spooled and that no closed day took in, in the order in which they arrived.

        `since`: end of the last closed period, ms. One that happened before came late, unless the site has its row.
        """
        rows = [row for segment in spool.segments(self.spool / "events") for row in spool.lines(segment)]
        taken = self._taken_in([row for row in rows if row["time"] < since])
        return [row for row in rows if row["time"] >= since or row["event_id"] not in taken]

    def _taken_in(self, spooled: list[dict[str, Any]]) -> set[str]:
        """event_ids of those of the spooled events that are rows of the site, whatever became of their day."""
        if not spooled:
            return set()
        events = pl.DataFrame({name: [row[name] for row in spooled] for name in ("event_id", "time")})
        days = set(events["time"].cast(TIME).dt.strftime(store.DAY))
        with transaction(self.engine) as connection:
            listed = [f for f in files.listed(connection, states=files.STATES) if f.day in days]
        there = store.there(self.data, listed, store.named(events))
        return set(events.filter(store.named(events).is_in(there.implode()))["event_id"])

    @cached_property
    def lease_name(self) -> str:
        return f"site {self.options.name}"


def _with_live_template(options: SiteOptions, engine: Engine) -> SiteOptions:
    """Contenders that read prompts and name no template of their own read the one that is live, where one is."""
    if all(one.kind == "baseline" for one in options.contenders):
        return options
    with transaction(engine) as connection:
        live = templates.live(connection)
    if live is None:
        return options

    def reading(one: ContenderOptions) -> ContenderOptions:
        own = one.template is not None or one.kind == "baseline"
        return one if own else one.model_copy(update={"template": live.file})

    read = {"champion": reading(options.champion), "challengers": tuple(map(reading, options.challengers))}
    return options.model_copy(update=read)


def days_cuts(begins: list[int], end: int) -> Cuts:
    """Cuts of periods that begin at these times (ms) and are days from the last one on."""
    if not begins:
        raise none_yet()
    return Cuts("calendar", tuple((begin, EARLIEST) for begin in begins), end, every="1d")
