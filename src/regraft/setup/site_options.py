"""The file regraft.yaml: what a site reads, learns, serves and keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from regraft.data.labels import LabelRule
from regraft.data.regimes import duration
from regraft.errors import ConfigError
from regraft.setup.config import SITE_FILE, ContenderOptions, ModelOptions, explained, plugin
from regraft.setup.measuring import MeasureOptions, PriceOptions
from regraft.setup.retention import Retention

FILE, SCHEMA = SITE_FILE, "regraft.schema.json"


class SiteData(BaseModel):
    """How the site's logs are read, and what counts as liked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = "rating > 3"
    reader: str | None = Field(None, description="name of a reader; None: recognised by content")
    mapping: dict[str, Any] | None = Field(None, description="column names, for the table reader")
    limits: dict[str, float] = Field(default_factory=dict, description="highest share of bad rows, by reason")
    negatives: int = Field(1, ge=1, description="per positive, for the rule `implicit`")
    warm_up: float = Field(0.3, ge=0, lt=1, description="share of the first log that is history, never an example")

    @field_validator("label")
    @classmethod
    def _readable_label(cls, value: str) -> str:
        LabelRule(value)
        return value


class SiteOptions(ModelOptions):
    """The file regraft.yaml."""

    more_history: ClassVar[str] = (
        f"Set data.warm_up in {FILE} higher (for example 0.5), or begin with a log of more people or days"
    )
    name: str = Field("site", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="versions are NAME-v000123")
    data: SiteData = SiteData()
    database: str | None = Field(None, description="URL of a PostgreSQL; None: state.db in the folder")
    champion: ContenderOptions = ContenderOptions(use="stack")
    challengers: tuple[ContenderOptions, ...] = ()
    gate: dict[str, dict[str, Any]] = Field(default_factory=dict, description="settings of checks, by their name")
    eval_share: float = Field(0.1, gt=0, lt=0.5, description="share of the examples that nothing is trained on")
    feedback_delay: str = Field("1h", description="after which an item that was shown and not clicked counts as that")
    measures: MeasureOptions = MeasureOptions()
    prices: PriceOptions = PriceOptions()
    holdout: float = Field(
        0.0, ge=0, lt=0.5, description="share of the people who are always served the version behind the alias holdout"
    )
    pilot: dict[str, Any] = Field(default_factory=dict, description="settings of pilots: see regraft pilot plan")
    repeat: bool = Field(False, description="recommend items again that a person knows, as a grocer would")
    seed: int = Field(0, ge=0)
    retention: Retention = Field(Retention(), description="how long each store is kept, and what for")

    @field_validator("feedback_delay")
    @classmethod
    def _readable_delay(cls, value: str) -> str:
        duration(value)
        return value

    @field_validator("champion")
    @classmethod
    def _known(cls, value: ContenderOptions) -> ContenderOptions:
        plugin(value)
        return value

    @field_validator("challengers")
    @classmethod
    def _all_known(cls, value: tuple[ContenderOptions, ...]) -> tuple[ContenderOptions, ...]:
        for contender in value:
            plugin(contender)
        return value

    @property
    def contenders(self) -> tuple[ContenderOptions, ...]:
        """The champion's and the challengers', each name once."""
        return tuple({c.label: c for c in (self.champion, *self.challengers)}.values())

    def leading(self, in_service: str) -> str:
        """Name of the contender whose new version may take the champion's place.

        That of the version in service, as long as it is a contender; then the one that regraft.yaml calls champion.
        """
        return in_service if in_service in {c.label for c in self.contenders} else self.champion.label

    @property
    def at_work(self) -> tuple[ContenderOptions, ...]:
        return self.contenders

    @classmethod
    def read(cls, path: Path) -> SiteOptions:
        """From the YAML file of a site."""
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            return cls.model_validate(raw)
        except OSError as error:
            raise ConfigError(
                "site '{site}'", "has no {file}", "a folder made by regraft init",
                "Make one with: regraft init {site} --from LOG", site=path.parent, file=FILE,
            ) from error  # fmt: skip
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(
                "configuration '{path}'", "is not YAML: {reason}", "a YAML file", path=path, reason=error
            ) from error
        except ValidationError as error:
            raise ConfigError(str(path), *explained(error, "regraft schema")) from error
