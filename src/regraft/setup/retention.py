"""How long each store of a site is kept and what for: the section `retention` of regraft.yaml."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from regraft.data.regimes import duration

FOREVER = "forever"
# How long every store is kept unless regraft.yaml says otherwise, and what for. Rows and texts are for who runs the
# site to decide; what is only derived from them, or waits for something, is bounded as it comes.
DEFAULTS = {
    "rows": (FOREVER, "to learn from, and to answer a person from their own history"),
    "items": (FOREVER, "to show and compare what is on offer"),
    "spool": ("90d", "events and served lists on their way into the rows"),
    "aside": ("14d", "rows that nobody could read, to mend the log that they came from"),
    "cache": ("30d", "what would take long to work out again"),
    "versions": ("30d", "to go back to, or to compare with; those in use stay"),
    "staging": ("1d", "what a killed run goes on from"),
    "reports": ("180d", "to decide with, the scores of comparisons in them; proofs of erasures stay"),
    "logs": ("90d", "to see what an update did"),
}


class Keep(BaseModel):
    """The policy of one store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: str = Field(description="a time such as 90d, 12h or 2w since the event, or `forever`")
    purpose: str = Field(min_length=1, description="what it is kept for, in words")
    action: Literal["delete", "tell"] = Field("delete", description="`tell`: nothing is deleted, it is only said")

    @field_validator("keep")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value != FOREVER:
            duration(value)
        return value

    @property
    def age(self) -> int | None:
        """The greatest age in ms; None: forever."""
        return None if self.keep == FOREVER else duration(self.keep)


def _default(store: str) -> Any:
    keep, purpose = DEFAULTS[store]
    return Keep(keep=keep, purpose=purpose)


class Retention(BaseModel):
    """By store; what is not said of one is as by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Keep = Field(_default("rows"), description="events by day; who has no row left is unknown from then on")
    items: Keep = Field(_default("items"), description="texts of items that no row speaks of, and replaced texts")
    spool: Keep = Field(_default("spool"), description="events and lists that no update took in")
    aside: Keep = Field(_default("aside"), description="rows set aside, by the time they were")
    cache: Keep = Field(_default("cache"), description="states and scores, by the time they were written")
    versions: Keep = Field(_default("versions"), description="by the newest rows they saw")
    staging: Keep = Field(_default("staging"), description="by the time they were written")
    reports: Keep = Field(_default("reports"), description="by the time they were written")
    logs: Keep = Field(_default("logs"), description="by their day")

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, given: Any) -> Any:
        """A store of which only the age is said keeps its purpose."""
        if not isinstance(given, dict):
            return given
        return {
            store: {**_default(store).model_dump(), **said} if isinstance(said, dict) and store in DEFAULTS else said
            for store, said in given.items()
        }

    def of(self, store: str) -> Keep:
        found: Keep = getattr(self, store)
        return found
