"""What goes into the API and comes out of it; every text and list has a bound."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Any text but NUL, which PostgreSQL refuses.
Id = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
LATEST = 253_402_300_799_000  # ms: the end of the year 9999


class ScoreRequest(BaseModel):
    """Items to be scored for one person."""

    model_config = ConfigDict(extra="forbid", strict=True)
    user_id: Id
    items: list[Id] = Field(min_length=1, max_length=1000)


class EventRow(BaseModel):
    """Something that a person did. Without a time it happened now; with an event_id it counts once."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    user_id: Id
    item_id: Id
    event: Annotated[Id, Field(max_length=64)] = "interaction"
    value: float | None = None
    time: int | None = Field(None, ge=0, le=LATEST, description="ms since 1970 UTC")
    event_id: Annotated[Id, Field(max_length=128)] | None = None
    request_id: str | None = Field(None, max_length=64, description="of the list that it answers")


class EventRows(BaseModel):
    """Events, taken all or none."""

    model_config = ConfigDict(extra="forbid", strict=True)
    events: list[EventRow] = Field(min_length=1, max_length=5000)


class Item(BaseModel):
    """One item of a list: `score` is a log-odds, `why` its facts in words."""

    item_id: str
    score: float
    why: str


class Listing(BaseModel):
    """A list, best first."""

    request_id: str
    arm: str
    version: str
    items: list[Item]


class Scores(BaseModel):
    """Log-odds per item."""

    version: str
    scores: dict[str, float]


class Accepted(BaseModel):
    """How many events are on the disk."""

    accepted: int


class Erasing(BaseModel):
    """An erasure that was asked for, the job that does it, and the salt by which the person is found in the proof.

    The salt is null for who was erased before and came back with a backup: it was told then.
    """

    erasure: int
    job: int
    state: str
    salt: str | None


class VersionRow(BaseModel):
    """One version; its state is good, rejected, damaged or destroyed."""

    name: str
    contender: str
    state: str


class Versions(BaseModel):
    """All versions, oldest first, the one that answers, those of other arms, and where the aliases point."""

    serving: str
    arms: dict[str, str]
    aliases: dict[str, str]
    versions: list[VersionRow]


class Health(BaseModel):
    """The process answers."""

    status: str


class Ready(Health):
    """A version is loaded."""

    version: str


class Wrong(BaseModel):
    """One thing that is wrong with a request."""

    where: str
    what: str


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Wrong] = Field(default_factory=list)


def inline(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of a message that refers to no other place."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def placed(node: Any) -> Any:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            return placed(parts[name]) if name else {key: placed(value) for key, value in node.items()}
        return [placed(one) for one in node] if isinstance(node, list) else node

    return {key: placed(value) for key, value in schema.items()}
