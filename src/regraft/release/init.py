"""Making a site from a log: rows stored, the older past and the last seven days closed, a first version made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from regraft.data import store
from regraft.data.inspect import Inspection, inspect
from regraft.data.pseudonyms import key_file, load_key
from regraft.errors import DataError, StateError
from regraft.files import write_text
from regraft.release import close
from regraft.release.commit import Closed, commit
from regraft.release.ingest import ingest
from regraft.release.runs import Outcome, begin, date_of
from regraft.setup.retention import DEFAULTS
from regraft.setup.site import DAY, Site, days_cuts
from regraft.setup.site_options import FILE, SCHEMA, SiteOptions
from regraft.state import files, lease
from regraft.state.database import transaction
from regraft.state.lease import Lease
from regraft.workbench import CONTENDER, Workbench

DAYS = 7  # closed one by one when a site is made
Tell = Callable[[str], object]


def init(
    folder: Path, log: Path, reader: str | None = None, mapping: Mapping[str, Any] | None = None,
    limits: Mapping[str, float] | None = None, tell: Tell = str,
) -> tuple[Site, Outcome]:  # fmt: skip
    """The new site and what its first close gave. A half-made site is finished by the same call.

    Raises StateError where the folder holds anything but a site that was not finished.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / FILE).is_file():
        raise StateError(f"folder '{folder}'", "holds something else", "a new folder, or an empty one")
    if not (folder / FILE).is_file():
        found = inspect(log, reader=reader, mapping=mapping, limits=limits)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / SCHEMA, json.dumps(SiteOptions.model_json_schema(), indent=2))
        write_text(folder / FILE, _yaml(folder.resolve().name, found, reader, limits or {}))
    load_key(folder, make=True)
    tell(f"The key of the id vault is {key_file()}: keep it, and keep it apart from the site")
    site = Site.open(folder)
    with lease.holding(site.engine, site.lease_name) as held:
        with transaction(site.engine) as connection:
            if site.cuts(connection):
                raise StateError(
                    f"site '{folder}'", "is finished already", "a new folder",
                    f"Close the next day with: regraft update {folder}",
                )  # fmt: skip
        counts = ingest(site, log, held)
        tell(
            f"{counts.rows_in:,} rows = {counts.accepted:,} accepted + {counts.set_aside:,} set aside "
            f"+ {counts.already_there:,} already there"
        )
        return site, first_close(site, held, _days(site), tell)


def first_close(site: Site, held: Lease, days: tuple[list[int], int], tell: Tell = str) -> Outcome:
    """Closes the older past as period 1, then the last days; all in one commit.

    `days`: the first ms of every period, and the end of the last one.
    """
    began = perf_counter()
    begins, end = days
    ends = [*begins[1:], end]
    bench = Workbench(site, site.stream(days_cuts(begins, end)))
    with transaction(site.engine) as connection:
        run = begin(connection, site, held, begins[-1], [None] * len(site.options.contenders))
    staging = site.staging / run.key
    work, seen = [close.Work(options) for options in site.options.contenders], {}
    whole = dict.fromkeys((one.options.label for one in work), 0.0)
    for number, until in enumerate(ends, start=1):
        tell(f"Closing period {number} of {len(begins)}, up to {date_of(until)}")
        seen = close.judge(bench, work, number)
        took = close.renew(bench, work, number, staging / f"{number}", tell)
        whole = {label: seconds + took[label]["seconds"] for label, seconds in whole.items()}
        folders = {one.options.label: staging / f"{number}" / one.options.label for one in work}
        work = [close.Work(one.options, None, folders[one.options.label] / CONTENDER) for one in work]
    outcome = Outcome(run.id, date_of(begins[-1]), "promoted", judged=seen)
    took = close.with_whole(took, whole, perf_counter() - began)
    closed = Closed(tuple(zip(range(1, len(begins) + 1), begins, ends, strict=True)))
    return commit(
        site, held, run, closed, work, staging / f"{len(begins)}", took, outcome, None, site.options.champion.label
    )


def _days(site: Site) -> tuple[list[int], int]:
    """(first ms of every period, end of the last one): the older past behind the warm-up, then the last days."""
    with transaction(site.engine) as connection:
        listed = [f for f in files.listed(connection) if f.day != store.ITEMS]
    time = store.read(site.data, listed, ["time"])["time"].dt.epoch("ms").to_numpy()
    end = int(time.max()) // DAY * DAY + DAY
    last = [end - k * DAY for k in range(DAYS, 0, -1)]
    older = np.sort(time[time < last[0]])
    if not len(older):
        raise DataError(
            f"log of the site '{site.folder}'",
            f"begins {date_of(int(time.min()))} and ends {date_of(int(time.max()))}",
            f"rows of more than {DAYS} days",
        )  # fmt: skip
    first = int(older[int(site.options.data.warm_up * len(older))])
    return [first // DAY * DAY if first // DAY * DAY > older[0] else int(older[0]), *last], end


def _yaml(name: str, found: Inspection, reader: str | None, limits: Mapping[str, float]) -> str:
    """regraft.yaml with a reason behind every line."""
    quoted = json.dumps
    name = "".join(c if c.isalnum() or c in "_.-" else "-" for c in name) or "site"
    block = found.block.value
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# One recommender in service. All settings and what they mean: regraft schema",
        "# Versions will be called NAME-v000001 and so on.",
        f"name: {quoted(name)}",
        "",
        "data:",
        f"  # {found.label.reason}",
        f"  label: {quoted(found.label.value, ensure_ascii=False)}",
        "  # the first share of the rows is history only: no model learns to foresee it",
        "  warm_up: 0.3",
        *([f"  reader: {quoted(reader)}"] if reader else []),
        *([f"  mapping: {quoted(dict(found.mapping), default=str, ensure_ascii=False)}"] if found.mapping else []),
        *([f"  limits: {quoted(dict(limits))}"] if limits else []),
        "",
        "# What is served. A stack of classical features learns in seconds; regraft arena run tells whether",
        "# more pays on this log.",
        "champion: {use: stack}",
        "# Renewed and judged every day beside the champion, never served: e.g. [{use: fine-tune, calibration: stack}]",
        "challengers: []",
        "# A pilot proves a challenger on some of the people: its metrics, margins and what each arm learns from, e.g.",
        "# {primary: clicks, minimum_lift: 0.05, guardrails: {active_days: 0.05}, slice: own}",
        "pilot: {}",
        "# Share of the people who are always served the version behind the alias holdout",
        "holdout: 0.0",
        "",
        "# what is known of earlier events: fresh (all before the event), delayed 24h, frozen (before the day)",
        "regime: fresh",
        f"# {found.block.reason}",
        f"timeline: {{context: {block.context}, targets: {block.targets}}}",
        "",
        "# Limits of the gate by check; the checks and their settings: regraft plugins checks",
        "gate: {}",
        "",
        "# null: state.db in this folder. Or a PostgreSQL: postgresql+psycopg://user@host/name",
        "database: null",
        "",
        "# How long each store is kept, by the time of the events, and what for. Every update applies this; what is",
        "# due is said by: regraft retention apply SITE --dry-run. How long rows may be kept is yours to decide.",
        "retention:",
        *(f"  {store}: {{keep: {keep}, purpose: {quoted(purpose)}}}" for store, (keep, purpose) in DEFAULTS.items()),
        "",
    ]
    return "\n".join(lines)
