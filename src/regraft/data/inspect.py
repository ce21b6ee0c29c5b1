"""What is in a log, and what to set for it: counts, shares per period, and proposals with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft import plugins
from regraft.data import propose
from regraft.data.ingest import Ingested, detect, ingest
from regraft.data.interactions import REASONS
from regraft.data.labels import LabelRule
from regraft.data.periods import Periods
from regraft.data.propose import Block, Proposal
from regraft.data.readers import table
from regraft.data.stream import code_by_first_appearance
from regraft.data.user_order import UserOrder

FIRST = 3  # rows shown per reason


@dataclass(frozen=True)
class SetAside:
    """The rows that were rejected for one reason; `first` are the first of them as (line, text)."""

    reason: str
    meaning: str
    rows: int
    file: str
    first: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Inspection:
    """One log. `table` has one row per period, period 0 being the warm-up; shares are from 0 to 1.

    `ties` is the share of rows that have an earlier row of the same user at the same instant: their
    labels must not stand in each other's history.
    """

    path: Path
    reader: str
    recognised: str
    rows_in: int
    accepted: int
    set_aside: tuple[SetAside, ...]
    warnings: tuple[str, ...]
    users: int
    items: int  # that occur in the log
    titled: int  # of those, with a title of their own
    events: Mapping[str, int]
    values: Mapping[float, int]  # the most frequent ones, ascending
    first: datetime
    last: datetime
    ties: float
    liked: float
    label: Proposal[str]
    periods: Proposal[Periods]
    block: Proposal[Block]
    table: pl.DataFrame
    per_user: np.ndarray = field(repr=False)  # events of each user
    mapping: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON can hold it."""
        plain = {k: v for k, v in vars(self).items() if k not in ("per_user", "table", "periods", "block", "label")}
        plain["set_aside"] = [asdict(one) for one in self.set_aside]
        plain["first"], plain["last"] = self.first.isoformat(), self.last.isoformat()
        plain["proposals"] = {
            "label": asdict(self.label),
            "periods": {"value": self.periods.value.model_dump(exclude_defaults=True), "reason": self.periods.reason},
            "timeline": {"value": self.block.value._asdict(), "reason": self.block.reason},
        }
        times = [name for name, kind in self.table.schema.items() if kind.is_temporal()]
        table = self.table.with_columns(pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%S%:z"))
        return plain | {"path": str(self.path), "periods": table.to_dicts()}


def inspect(
    path: Path,
    *,
    reader: str | None = None,
    mapping: Mapping[str, Any] | None = None,
    label: str | None = None,
    n_periods: int | None = None,
    limits: Mapping[str, float] | None = None,
    quarantine: bool | Path = False,
    now: datetime | None = None,
) -> Inspection:
    """Reads the log at `path` and looks at it. `label` and `n_periods` take the place of what would be proposed.

    `reader`, `mapping`, `limits`, `quarantine` and `now` are those of `ingest`.
    """
    log = ingest(path, reader=reader, mapping=mapping, limits=limits, quarantine=quarantine, now=now)
    return inspect_log(log, path, reader, mapping, label, n_periods)


def inspect_log(
    log: Ingested, path: Path, reader: str | None = None, mapping: Mapping[str, Any] | None = None,
    label: str | None = None, n_periods: int | None = None,
) -> Inspection:  # fmt: skip
    """As `inspect`, of a log that was read from `path` already."""
    recognised = _recognised(path, reader, mapping)
    rows = log.interactions.sort("timestamp", maintain_order=True)
    rule = Proposal(label, "given") if label else propose.label_rule(rows)
    liked = LabelRule(rule.value).apply(rows)["label"].to_numpy()
    time = rows["timestamp"].dt.epoch("ms").to_numpy()
    cut = propose.periods(time, n_periods)
    period, cuts = cut.value.cut(time)
    user, user_ids = code_by_first_appearance(rows["user_id"])
    item, item_ids = code_by_first_appearance(rows["item_id"])
    order = UserOrder.of(user, np.ones(len(user), dtype=bool))
    rejected = _set_aside(log.rejected)
    return Inspection(
        path=Path(path),
        reader=log.reader,
        recognised=recognised,
        rows_in=log.rows_in,
        accepted=len(rows),
        set_aside=tuple(rejected),
        warnings=tuple(log.warnings[len(rejected) :]),  # the first ones tell of rows set aside
        users=len(user_ids),
        items=len(item_ids),
        titled=_titled(log, item_ids),
        events=dict(rows["event"].value_counts(sort=True).iter_rows()),
        values=_values(rows["value"]),
        first=rows["timestamp"][0],
        last=rows["timestamp"][-1],
        ties=_ties(order, user, time),
        liked=float(liked.mean()),
        label=rule,
        periods=cut,
        block=propose.block(order, period),
        table=_by_period(user, item, liked, period, cuts, int(time[0])),
        per_user=np.diff(order.start),
        mapping=mapping,
    )


def _recognised(path: Path, reader: str | None, mapping: Mapping[str, Any] | None) -> str:
    """What the file is, in words."""
    if reader is None and mapping is None:
        return detect(path)[1]
    name = reader or "table"
    if name == "table":
        return f"read as 'table': {table.describe(path, mapping)}"
    known = next((plugin.summary for plugin in plugins.plugins("readers") if plugin.name == name), "")
    return f"read as '{name}': {known}" if known else f"read as '{name}'"


def _set_aside(rejected: pl.DataFrame) -> list[SetAside]:
    found = []
    for (reason,), rows in rejected.group_by("reason", maintain_order=True):
        first = tuple((row["line"], row["text"]) for row in rows.head(FIRST).iter_rows(named=True))
        found.append(SetAside(str(reason), REASONS.get(str(reason), ""), len(rows), rows["file"][0], first))
    return sorted(found, key=lambda one: -one.rows)


def _titled(log: Ingested, item_ids: pl.Series) -> int:
    """Items of the log whose title is more than their id."""
    named = log.items.filter(pl.col("title") != "item " + pl.col("item_id"))["item_id"]
    return int(item_ids.is_in(named.implode()).sum())


def _values(values: pl.Series) -> dict[float, int]:
    counts = values.drop_nulls().value_counts(sort=True).head(propose.FEW)
    return dict(sorted(counts.iter_rows()))


def _ties(order: UserOrder, user: np.ndarray, time: np.ndarray) -> float:
    who, when = user[order.rows], time[order.rows]
    return float(((np.diff(who) == 0) & (np.diff(when) == 0)).sum() / max(1, len(who)))


def _by_period(
    user: np.ndarray, item: np.ndarray, liked: np.ndarray, period: np.ndarray, cuts: tuple[int, ...], begin: int
) -> pl.DataFrame:
    """One row per period: rows, who was active, and how many of users and items were not seen before it."""
    frame = pl.DataFrame({"period": period, "user": user, "item": item, "liked": liked})
    starts = {0: begin, **{p + 1: start for p, start in enumerate(cuts[:-1])}}
    for column in ("user", "item"):
        # Codes are given in order of first appearance, so a running maximum tells what is new.
        codes = frame[column].to_numpy()
        new = np.diff(np.maximum.accumulate(codes), prepend=-1) > 0
        frame = frame.with_columns(pl.Series(f"new_{column}", new))
    counted = frame.group_by("period").agg(
        rows=pl.len(),
        users=pl.col("user").n_unique(),
        items=pl.col("item").n_unique(),
        new_users=pl.col("new_user").sum(),
        new_items=pl.col("new_item").sum(),
        liked=pl.col("liked").mean(),
    )
    everything = pl.DataFrame(
        {"period": list(starts), "start": list(starts.values())}, schema_overrides={"period": pl.Int32}
    )
    table = everything.join(counted, on="period", how="left").sort("period")
    table = table.filter((pl.col("period") > 0) | pl.col("rows").is_not_null())
    return table.select(
        "period",
        pl.from_epoch("start", "ms").dt.replace_time_zone("UTC"),
        pl.col("rows").fill_null(0),
        pl.col("users").fill_null(0),
        (pl.col("rows") / pl.col("users")).alias("events_per_user"),
        (pl.col("new_users") / pl.col("users")).alias("new_users"),
        (pl.col("new_items") / pl.col("items")).alias("new_items"),
        "liked",
    )
