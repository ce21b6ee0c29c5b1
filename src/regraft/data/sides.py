"""What an arm of a pilot learns from. Both arms' clicks flowing into both models would wash their difference out.

    own           neither arm learns from, or counts in its facts, what people of the other did since the pilot began
    control-only  neither learns from, or counts in its facts, what the treatment's people did; whoever of them is
                  answered is answered from their own events, which move nobody else's facts
    shared        both learn from everybody: as cheap as no pilot, and contaminated

In the drift world `own` shows the true lift and `shared` none of it; under `control-only` a challenger that gains by
what it tries out itself cannot show that (docs/results/contamination.md).

Under `own` both arms learn from equally many examples of the pilot: of a day, the arm that has more leaves some out,
drawn by row id. People who are in neither arm count in both: they are served what the control is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from regraft.data.assign import COMPARED, CONTROL, TREATMENT
from regraft.data.draws import uniform

OWN, CONTROL_ONLY, SHARED = SLICES = "own", "control-only", "shared"
THIN = 23  # key of the draw


@dataclass(frozen=True)
class Side:
    """The arm that a contender learns for, in a pilot that began at `begun` (ms)."""

    arm: str
    slice: str
    begun: int


def seen_from(rows: pl.DataFrame, side: Side | None) -> pl.DataFrame:
    """The rows of a site (schema data.store.STORED, and `example` where it says so) that count on one side.

    What is left out is no example, no neighbour and no fact there.
    """
    if side is None or side.slice == SHARED:
        return rows
    if side.slice == CONTROL_ONLY:
        return rows.filter(~_treated(rows, side.begun))
    named = rows if "example" in rows.columns else rows.with_columns(example=pl.lit(True), happened=pl.lit(True))
    found = named.join(arms_since(rows, side.begun), on="uid", how="left", maintain_order="left")
    thinned = _equally_many(found.with_columns(pl.when(_since(side.begun)).then(pl.col("of")).alias("of")))
    return thinned.filter(pl.col("of").is_null() | (pl.col("of") == side.arm)).drop("of")


def alone(rows: pl.DataFrame, side: Side | None) -> pl.DataFrame:
    """The rows that count on a side for whoever did them and for nobody else: people it serves and never hears."""
    if side is None or not keeps_alone(side, TREATMENT):
        return rows.clear()
    return rows.filter(_treated(rows, side.begun))


def hears(side: Side | None, arm: str) -> bool:
    """Whether what people of an arm do now moves facts of this side, be it their own alone."""
    if side is None or side.slice == SHARED or arm not in COMPARED:
        return True
    return arm == side.arm if side.slice == OWN else arm == CONTROL or keeps_alone(side, arm)


def keeps_alone(side: Side | None, arm: str) -> bool:
    """Whether what people of an arm do moves, on this side, their own facts and nobody else's."""
    return side is not None and side.slice == CONTROL_ONLY and side.arm == arm == TREATMENT


def arms_since(rows: pl.DataFrame, begun: int) -> pl.DataFrame:
    """uid, of: the arm in which a person was first served a list since `begun` (ms)."""
    served = rows.filter(pl.col("arm").is_in(list(COMPARED)) & (pl.col("time").dt.epoch("ms") >= begun))
    return served.sort("time", "row_id").group_by("uid", maintain_order=True).agg(pl.col("arm").first().alias("of"))


def _treated(rows: pl.DataFrame, begun: int) -> pl.Series:
    """bool per row: of somebody of the treatment, since the pilot began."""
    found = rows.select("uid", "time").join(arms_since(rows, begun), on="uid", how="left", maintain_order="left")
    return found.select(_since(begun) & pl.col("of").eq_missing(TREATMENT)).to_series()


def _since(begun: int) -> pl.Expr:
    return pl.col("time").dt.epoch("ms") >= begun


def contaminated(rows: pl.DataFrame, begun: int, arms: pl.DataFrame | None = None) -> float:
    """Share of the rows since a pilot began that came from the treatment's people.

    `rows`: those that a side sees. `arms`: as arms_since gives them of the whole log; None: of these rows.
    """
    arms = arms_since(rows, begun) if arms is None else arms
    found = rows.filter(_since(begun)).join(arms, on="uid", how="left")
    return float((found["of"] == TREATMENT).fill_null(False).mean() or 0.0) if len(found) else 0.0  # type: ignore[arg-type]


def _equally_many(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, of which the arm with more examples on a day keeps as many as the other has."""
    work = rows.select(
        "of", day=pl.col("time").dt.truncate("1d"), counts=pl.col("example") & pl.col("of").is_not_null(),
        draw=pl.Series(uniform(np.abs(rows["row_id"].to_numpy()), THIN)),
    )  # fmt: skip
    counted = [(pl.col("counts") & (pl.col("of") == arm)).sum().over("day") for arm in (CONTROL, TREATMENT)]
    rank = pl.when("counts").then(pl.col("draw")).rank("ordinal").over("day", "of")
    keep = work.select(~pl.col("counts") | (rank <= pl.min_horizontal(*counted)))
    return rows.with_columns(example=pl.col("example") & keep.to_series())
