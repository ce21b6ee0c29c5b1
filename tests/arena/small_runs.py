"""Runs of the arena in a tiny drift world, and the same world with everything after a cut replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft.arena.compare import Arena
from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.setup.config import ArenaConfig

WORLD = {"users": 60, "items": 30, "periods": 8, "seed": 1}
PERIODS = {"n": 5, "warm_up": 0.3}
LABEL = 'event == "click"'
CHEAP = ("popularity", "rates")
CUT = 4  # every row of this and later periods is replaced in the other world

SMALL_BASE: dict[str, Any] = {  # a language model that is built and tuned in seconds
    "base": {"nano": {"vocabulary": 400, "width": 32, "heads": 2, "layers": 1, "epochs": 1}},
    "timeline": {"context": 2, "targets": 10},
    "adapter": {"rank": 2},
    "fit": {"epochs": 1},
}


def config(contenders: Sequence[Any] = CHEAP, **more: Any) -> ArenaConfig:
    data = {"drift_world": WORLD, "label": LABEL, "periods": PERIODS}
    return ArenaConfig.parse({"data": data, "contenders": list(contenders), "first_update": 2, **more})


def run(folder: Path, found: ArenaConfig | None = None, stream: Stream | None = None) -> Arena:
    arena = Arena(found or config(), folder, stream)
    list(arena.run())
    return arena


def scores(arena: Arena) -> pl.DataFrame:
    return pl.read_parquet(arena.folder / "scores.parquet")


def described(arena: Arena) -> dict[str, Any]:
    return dict(json.loads((arena.folder / "run.json").read_text()))


def one_world() -> Stream:
    """The stream of `config()`."""
    world = simulate(DriftWorld(**WORLD))  # type: ignore[arg-type]
    return build_stream(world.interactions, world.items, LABEL, Periods(**PERIODS), name="drift-world")  # type: ignore[arg-type]


def other_world() -> Stream:
    """The same rows before CUT; after it labels turned, users and items dealt anew, some unheard of, times shuffled.

    No row moves across the cut, and the cuts stay where they are.
    """
    world = simulate(DriftWorld(**WORLD))  # type: ignore[arg-type]
    log = world.interactions
    later = log["timestamp"].dt.epoch("ms") >= one_world().cuts[CUT - 1]
    end = log.filter(later)
    changed = end.with_columns(
        _dealt(end["user_id"], 1),
        _dealt(end["item_id"], 2),
        end["timestamp"].sample(len(end), shuffle=True, seed=3),
        event=pl.when(pl.col("event") == "click").then(pl.lit("skip")).otherwise(pl.lit("click")),
    )
    changed = changed.sort("timestamp", maintain_order=True).with_columns(end["line"])
    rows = pl.concat([log.filter(~later), changed])
    return build_stream(rows, world.items, LABEL, Periods(**PERIODS), name="drift-world")  # type: ignore[arg-type]


def _dealt(ids: pl.Series, seed: int) -> pl.Series:
    """The ids in another order, a fifth of them replaced by one that nobody has heard of."""
    unheard = pl.Series(np.random.default_rng(seed).uniform(size=len(ids)) < 0.2)
    return ids.sample(len(ids), shuffle=True, seed=seed).zip_with(~unheard, pl.Series([f"new {ids.name}"]))
