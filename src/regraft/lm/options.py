"""Settings of the language-model side; every default is meant to be right."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from regraft.errors import ConfigError
from regraft.prompts.timeline import Shape

GIB = 2**30
TOP = re.compile(r"top\((?P<k>\d+)(?:/(?P<of>[1-9]\d*))?\)")
SHALLOW = 8  # layers: of a model with fewer, a quarter may learn too little (docs/decisions/0005)


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimelineOptions(Options):
    """The block rule: W events of context, H targets."""

    context: int = Field(10, ge=0, le=10_000)
    targets: int = Field(20, ge=1, le=10_000)

    @property
    def shape(self) -> Shape:
        return Shape(self.context, self.targets)


class AdapterOptions(Options):
    """Shape of the LoRA adapters."""

    rank: int = Field(8, ge=1, le=256)
    alpha: float = Field(16.0, gt=0)
    targets: Literal["auto"] | list[str] = Field(
        "auto", description="module names; auto: every linear layer of a block"
    )
    adapt: str | int = Field(
        "auto",
        description="top(1/4): that share of the layers, top(k): the k highest; all; targets: all, at targets alone; "
        f"auto: top(1/4), but all of fewer than {SHALLOW}",
    )  # fmt: skip

    @field_validator("adapt")
    @classmethod
    def _readable(cls, value: str | int) -> str | int:
        if isinstance(value, str) and value not in ("auto", "all", "targets") and not TOP.fullmatch(value):
            raise ConfigError(
                "adapter.adapt", f"found {value!r}", "auto, all, targets, top(k) or a share such as top(1/4)"
            )
        return value

    def top(self, layers: int) -> int | None:
        """How many of so many layers carry weights; None: all. May be out of range where a number was given."""
        adapt = self.adapt
        if adapt == "auto":
            adapt = "all" if layers < SHALLOW else "top(1/4)"
        if adapt in ("all", "targets"):
            return None
        if isinstance(adapt, int):
            return adapt
        found = TOP.fullmatch(adapt)
        assert found is not None
        if found["of"] is None:
            return int(found["k"])
        part, of = int(found["k"]), int(found["of"])
        return max(1, (2 * layers * part + of) // (2 * of))  # halves rounded up


class CacheOptions(Options):
    """Kept states of the frozen lower layers (trunk.py), where adapters leave those as they are."""

    folder: str | None = Field(None, description="where they are kept; None: beside the run, for all runs there")
    gib: float = Field(8.0, ge=0, description="most GiB that are kept; 0: nothing is")

    @property
    def bytes(self) -> int:
        return int(self.gib * GIB)


class NanoOptions(Options):
    """Size and training of a nano base."""

    objective: Literal["labels", "text"] = "labels"
    layers: int = Field(4, ge=1, le=64)
    width: int = Field(128, ge=16)
    heads: int = Field(4, ge=1)
    vocabulary: int = Field(6000, ge=300)
    positions: int = Field(2048, ge=64)
    epochs: int = Field(3, ge=1)
    lr: float = Field(2e-3, gt=0)
    targets_per_step: int = Field(512, ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> NanoOptions:
        if self.width % (2 * self.heads):
            raise ConfigError(
                "base.nano.width", f"found {self.width} with {self.heads} heads",
                f"a multiple of {2 * self.heads}: every head gets an even share",
            )  # fmt: skip
        return self


class FitOptions(Options):
    """One training run."""

    lr: float = Field(2e-3, gt=0, description="from scratch")
    lr_incremental: float = Field(5e-4, gt=0, description="from an earlier adapter")
    epochs: int = Field(2, ge=1)
    patience: int = Field(1, ge=1, description="epochs without a better log-loss before stopping")
    hold_out: float = Field(0.1, ge=0, lt=0.5, description="share of the newest period that decides when to stop")
    targets_per_step: int = Field(256, ge=1)
    batch_tokens: int = Field(8192, ge=16)
    warm_up: float = Field(0.05, ge=0, lt=1, description="share of the steps with a growing learning rate")
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(1.0, gt=0)
    heavy_users: Literal["sqrt", "full"] = Field(
        "sqrt", description="sqrt: a user's weight in a step grows with the root"
    )
    gradient_checkpointing: bool = Field(
        False, description="layers run again in the backward pass: less memory, more time"
    )
    checkpoint_seconds: float = Field(30.0, gt=0)
