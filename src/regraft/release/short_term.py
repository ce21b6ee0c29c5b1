"""Short-term numbers of a day: lists and clicks by arm, version and kind of person, foresight, variety, cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data import spool, store
from regraft.data.assign import COMPARED
from regraft.metrics import online, served, spending, variety
from regraft.metrics.estimate import NAN, Estimate
from regraft.prompts.similarity.columns import Columns
from regraft.release.runs import Outcome
from regraft.setup.site import Site
from regraft.state import files
from regraft.state.aggregates import Aggregate
from regraft.state.database import transaction

FORESEEN = ("auc", "uauc", "log_loss", "calibration")
RETAINED = {"trusted": "retained", "forgetting": "retained_week"}  # measure by the check that found it


def near(site: Site, day: str, held: bool) -> pl.DataFrame:
    """Rows of the day and of the one before, which may hold the list that the day's rows answer."""
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    with transaction(site.engine) as connection:
        listed = files.listed(connection, [before, day], files.TO_CLOSE if held else (files.ACCEPTED,))
    return store.read(site.data, listed)


def shown_items(site: Site, rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """Items of the lists shown on `day`: uid, request_id, item_id, arm, version, position, clicked, converted.

    A list is of the day of its first row: what was answered on the next day was shown on this one.
    """
    measures = site.options.measures
    lists = rows.filter(pl.col("request_id").is_not_null() & pl.col("position").is_not_null())
    return (
        lists.with_columns(
            clicked=measures.clicked(site.options.data.label), converted=measures.converted(),
            first=pl.col("time").min().over("request_id").dt.strftime(store.DAY),
        )
        .filter(pl.col("first") == day)
        .group_by("uid", "request_id", "item_id", "arm", "version", maintain_order=True)
        .agg(pl.col("position").min(), pl.col("clicked", "converted").any())
    )  # fmt: skip


def volume(day: str, shown: pl.DataFrame) -> Iterator[Aggregate]:
    """Lists and the people who saw them, of everybody and of each arm and version."""
    for arm, segment, part in _parts(shown):
        people = part["uid"].n_unique()
        yield count(day, "lists", part["request_id"].n_unique(), people, arm, segment)
        yield count(day, "people_served", people, people, arm, segment)


def answers(day: str, shown: pl.DataFrame, kinds: pl.DataFrame, converts: bool) -> Iterator[Aggregate]:
    """Clicks and rates of everybody and of each arm, version and kind of person (`kinds`: uid, kind).

    `converts`: whether the site has conversions at all; where it has none, 0 would say too much.
    """
    by_kind = shown.join(kinds, on="uid", how="left").partition_by("kind", as_dict=True)
    more = [("", f"people={kind}", part) for (kind,), part in sorted(by_kind.items()) if kind is not None]
    for arm, segment, part in [*_parts(shown), *more]:
        people = part["uid"].n_unique()
        yield count(day, "clicks", int(part["clicked"].sum()), people, arm, segment)
        yield row(day, "ctr", served.click_rate(part), arm, segment)
        if converts:
            yield row(day, "conversion", served.conversion(part), arm, segment)


def foreseen(day: str, outcome: Outcome, leading: str, people: int) -> Iterator[Aggregate]:
    """How well each contender's version foresaw the day; that of the version in service stands for everybody.

    While a pilot runs, of each arm how well its version foresaw what the people did whom it served.
    """
    for name, seen in outcome.judged.items():
        for segment in ("", f"contender={name}") if name == leading else (f"contender={name}",):
            yield from (row(day, measure, one, segment=segment) for measure, one in _foresight(seen, people))
        for arm in COMPARED:
            own = {key.removeprefix(f"{arm}:"): value for key, value in seen.items() if key.startswith(f"{arm}:")}
            yield from (row(day, measure, one, arm) for measure, one in _foresight(own, 0))


def _foresight(seen: Mapping[str, float], people: int) -> Iterator[tuple[str, Estimate]]:
    """The numbers of one contender as release.close.judge left them; `people` where it does not say how many."""
    for measure in FORESEEN:
        if measure in seen:
            value, low, high = (seen.get(measure + ending, NAN) for ending in ("", "_low", "_high"))
            yield measure, Estimate(value, low, high, int(seen.get(f"{measure}_people", people)))


def retained(day: str, outcome: Outcome, people: int) -> Iterator[Aggregate]:
    """What the new version still knows of older rows, as the gate found it."""
    for finding in outcome.findings:
        if finding.check in RETAINED and "difference" in finding.values:
            value, low, high = (finding.values.get(name, NAN) for name in ("difference", "low", "high"))
            yield row(day, RETAINED[finding.check], Estimate(value, low, high, people))


def varied(site: Site, day: str, shown: pl.DataFrame) -> Iterator[Aggregate]:
    """Diversity inside lists and concentration over the catalogue, of everybody and of each arm."""
    if not len(shown):
        return
    items = site.catalogue()
    columns = Columns()
    columns.fit(items)
    vectors, codes = columns.vectors(items), {item: code for code, item in enumerate(items["item_id"])}
    for arm, segment, part in _parts(shown):
        if not segment:
            if vectors.nnz:
                yield row(day, "diversity", variety.diversity(part, codes, vectors), arm)
            yield row(day, "concentration", variety.concentration(part, len(items)), arm)


def waited(site: Site, day: str) -> Iterator[Aggregate]:
    """How long lists took, where servers wrote it down, and what 1,000 of them cost."""
    wanted = ("pseudonym", "seconds", "arm")
    begin = date.fromisoformat(day)
    times = [int(pl.Series([d]).cast(pl.Datetime("ms")).to_physical()[0]) for d in (begin, begin + timedelta(days=1))]
    rows = [
        {name: one[name] for name in wanted}
        for segment in spool.segments(site.spool / "lists") for one in spool.read(segment)
        if "seconds" in one and times[0] <= one["time"] < times[1]
    ]  # fmt: skip
    lists = pl.DataFrame(rows, schema={"pseudonym": pl.String, "seconds": pl.Float64, "arm": pl.String})
    if not len(lists):
        return
    for arm in ("", *sorted(lists["arm"].drop_nulls().unique())):
        part = lists.filter(pl.col("arm") == arm) if arm else lists
        yield row(day, "latency_p95", online.latency(part), arm)
        mean, people = float(part["seconds"].mean()), part["pseudonym"].n_unique()  # type: ignore[arg-type]
        price = spending.cost_per_thousand(mean, site.options.prices.serving_hour)
        yield count(day, "seconds_per_1000", 1000 * mean, people, arm)
        yield count(day, "cost_per_1000", price, people, arm)


def spent(site: Site, day: str, took: Mapping[str, Mapping[str, Any]], people: int) -> Iterator[Aggregate]:
    """Seconds and money of the update, and of what is stored after it."""
    prices = site.options.prices
    for name, one in took.items():
        yield count(day, "update_seconds", one["seconds"], people, segment=f"contender={name}")
    seconds = sum(one["seconds"] for one in took.values())
    yield count(day, "update_seconds", seconds, people)
    yield count(day, "update_cost", spending.update_cost(seconds, prices.update_hour), people)
    size = sum(_size(folder) for folder in (site.data, site.versions, site.cache))
    yield count(day, "storage_bytes", size, people)
    yield count(day, "storage_cost", spending.storage_cost(size, prices.storage_gb_month), people)


def count(day: str, measure: str, value: float, n: int, arm: str = "", segment: str = "") -> Aggregate:
    """A number that is counted and not estimated: it has no interval."""
    return Aggregate(day, measure, float(value), NAN, NAN, n, arm, segment)


def row(day: str, measure: str, found: Estimate, arm: str = "", segment: str = "") -> Aggregate:
    """An estimate over people."""
    return Aggregate(day, measure, found.value, found.low, found.high, found.n, arm, segment)


def _parts(shown: pl.DataFrame) -> list[tuple[str, str, pl.DataFrame]]:
    """(arm, segment, rows): everybody, each arm, each version."""
    parts = [("", "", shown)]
    for name, arm, segment in (("arm", "{}", ""), ("version", "", "version={}")):
        for value in sorted(shown[name].drop_nulls().unique()):
            parts.append((arm.format(value), segment.format(value), shown.filter(pl.col(name) == value)))
    return parts


def _size(folder: Path) -> int:
    """Bytes of all files; one that is removed meanwhile counts no more."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
