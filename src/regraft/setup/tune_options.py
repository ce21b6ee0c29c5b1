"""The section `tune` of a configuration: which settings `regraft tune` tries, and what a difference is worth."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from regraft.errors import ConfigError

ALL = "all"


class TuneOptions(BaseModel):
    """The values of each axis are tried each with each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.0, 0.1, 0.3, 1.0), description="remembered examples per new one, where a strategy replays"
    )
    every: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 2, 4), description="periods from update to update")
    days: tuple[Annotated[int, Field(ge=1)] | None, ...] = Field(
        (30, 90, None), description="days of history that are kept; null or all: everything, which is always tried"
    )
    margin: float = Field(0.005, gt=0, description="AUC that may be lost where less is kept or renewed")

    @field_validator("days", mode="before")
    @classmethod
    def _all_is_none(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [*(day for day in value if day not in (None, ALL)), None]

    @field_validator("share", "every", "days")
    @classmethod
    def _some_and_distinct(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value or len(set(value)) < len(value):
            raise ConfigError("tune", f"found {list(value)}", "one or more different values for each axis")
        return value
