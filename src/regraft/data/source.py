"""From a `data:` section of the configuration to a stream: read, choose users, label, cut."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from regraft.data.build import build_stream
from regraft.data.drift_world_settings import DriftWorld
from regraft.data.labels import LabelRule
from regraft.data.negatives import Sampler
from regraft.data.periods import Cuts, Periods
from regraft.data.presets import PRESETS, lsat_ml_1m
from regraft.data.stream import Stream
from regraft.errors import ConfigError


class DataOptions(BaseModel):
    """Where the log is and how it becomes a stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(None, description="file, directory or official zip; None with drift_world")
    reader: str | None = Field(None, description="name of a reader; None: recognised by content")
    mapping: dict[str, Any] | None = Field(None, description="column names, for the table reader")
    drift_world: dict[str, Any] | None = Field(None, description="settings of the simulator, instead of a path")
    preset: Literal["lsat-ml-1m"] | None = None
    information: Literal["window", "full"] = "full"
    label: str = "rating > 3"
    negatives: int = Field(1, ge=1, description="per positive, for the rule `implicit`")
    sampler: Sampler = Field(
        "period", description="negatives: `period`: from all items on offer; `untouched`: from those not touched before"
    )
    periods: Periods = Periods()
    share: float = Field(1.0, gt=0, le=1, description="share of the users whose rows are examples")
    limits: dict[str, float] = Field(default_factory=dict, description="highest share of bad rows, by reason")
    seed: int = 0

    @model_validator(mode="after")
    def _one_source(self) -> DataOptions:
        if (self.path is None) == (self.drift_world is None):
            raise ConfigError("data", "needs exactly one of path and drift_world", "e.g. path: ml-1m.zip")
        if self.drift_world is not None:
            DriftWorld.of(self.drift_world)
        LabelRule(self.label)
        return self


def read(options: DataOptions) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(interactions, items) of the log named in the options."""
    if options.drift_world is not None:
        from regraft.data.drift_world import simulate

        world = simulate(DriftWorld.of(options.drift_world))
        return world.interactions, world.items
    from regraft.data.ingest import ingest

    assert options.path is not None
    log = ingest(options.path, reader=options.reader, mapping=options.mapping, limits=options.limits)
    return log.interactions, log.items


def open_stream(options: DataOptions, cuts: Cuts | None = None) -> Stream:
    """The stream the options describe; `cuts` are those found when the log was shorter."""
    return stream_of(options, *read(options), cuts)


def stream_of(
    options: DataOptions, interactions: pl.DataFrame, items: pl.DataFrame, cuts: Cuts | None = None
) -> Stream:
    """As `open_stream`, of a log that was read already."""
    if options.preset is not None:
        assert options.preset in PRESETS
        stream = lsat_ml_1m(interactions, items, options.information)
    else:
        name = options.path.name.split(".")[0] if options.path else "drift-world"
        stream = build_stream(
            interactions,
            items,
            options.label,
            options.periods,
            negatives=options.negatives,
            sampler=options.sampler,
            seed=options.seed,
            name=name,
            cuts=cuts,
        )
    return stream if options.share == 1.0 else of_share(stream, options.share, options.seed)


def of_share(stream: Stream, share: float, seed: int = 0) -> Stream:
    """Examples of a share of the users, chosen by a hash of their id; everybody's history stays."""
    draws = [hashlib.blake2b(f"{seed}:{u}".encode(), digest_size=8).digest() for u in stream.user_ids]
    unit = np.array([int.from_bytes(d, "big") for d in draws], dtype=np.float64) / 2.0**64
    return stream.of_users(np.flatnonzero(unit < share))
