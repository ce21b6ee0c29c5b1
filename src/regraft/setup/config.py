"""One YAML file describes a run of the arena; every section has defaults that are meant to be right."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from regraft.data.labels import LabelRule
from regraft.data.regimes import Regime
from regraft.data.source import DataOptions
from regraft.errors import ConfigError, RegraftError
from regraft.lm.options import AdapterOptions, CacheOptions, FitOptions, NanoOptions, TimelineOptions
from regraft.plugins import names, plugin_class
from regraft.prompts.similarity.protocol import checked
from regraft.rungs import RUNGS
from regraft.setup.measuring import PriceOptions
from regraft.setup.tune_options import TuneOptions

SITE_FILE = "regraft.yaml"  # makes a folder a site


class BaseOptions(BaseModel):
    """The base model: a directory or hub id, or one that is built from the warm-up periods."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(None, description="directory or hub id; None: build `nano`")
    nano: dict[str, Any] = Field(
        default_factory=dict,
        description="settings of the nano build",
        json_schema_extra={"properties": NanoOptions.model_json_schema()["properties"], "additionalProperties": False},
    )
    dtype: Literal["fp32", "bf16", "auto"] = "fp32"
    device: str = "cpu"
    trust_remote_code: bool = False

    @field_validator("nano")
    @classmethod
    def _settings_of_nano(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Checked, and kept as written: a run's folder remembers the configuration it was begun with."""
        try:
            NanoOptions(**value)
        except ValidationError as error:
            raise ConfigError("base.nano", *explained(error)) from error
        return value


class ContenderOptions(BaseModel):
    """One row of the comparison: a strategy or baseline by name, with settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: str
    name: str = Field(
        "", pattern=r"^([^/\\.][^/\\]*)?$", max_length=100, description="also a folder's name; empty: as in `use`"
    )
    calibration: Literal["none", "logistic", "stack"] = "none"
    template: str | None = Field(None, description="for strategies: another template than that of the run")
    settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.name or self.use + ("" if self.calibration == "none" else f"+{self.calibration}")

    @property
    def kind(self) -> Literal["strategy", "baseline"]:
        return _kind_of(self.use)

    @property
    def on_stack(self) -> bool:
        """It builds on the stack: behind its anchor, or on its log-odds as an offset."""
        return "stack" in (self.calibration, self.settings.get("offset"))


@cache
def _kind_of(use: str) -> Literal["strategy", "baseline"]:
    """Found once in a process: listing the plug-ins of other packages takes a while."""
    if use in names("strategies"):
        return "strategy"
    if use in names("baselines"):
        return "baseline"
    known = [*names("strategies"), *names("baselines")]
    raise ConfigError(f"contender '{use}'", "is neither a strategy nor a baseline", "one of " + ", ".join(known))


class RankingOptions(BaseModel):
    """Ranked lists: how high the chosen items stand among those on offer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: int = Field(500, ge=0, description="per period, drawn by row id; 0: nothing is ranked")
    language: int = Field(50, ge=1, description="of them, how many a contender with a language model reranks")
    k: int = Field(10, ge=1, description="places of a list that count")
    candidates: int = Field(100, ge=1, description="items that the common retriever finds per request")
    pairs: int = Field(
        500_000, ge=1, description="requests x items per period that a classical contender scores to rank all on offer"
    )


UNSAID_RUNG = {"baseline": "neighbours", "strategy": "renewed"}  # of a plug-in that has no `rung`


DEFAULT_CONTENDERS = (
    "never",
    "full-retrain",
    "fine-tune",
    "short-term",
    "replay",
    "lsat-ensemble",
    "popularity",
    "rates",
    "stack",
)


class ModelOptions(BaseModel):
    """What is read and how it is learnt: the same in a run of the arena and in a site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    more_history: ClassVar[str] = "Set periods.warm_up (for example 0.3), or information: full for a preset"
    base: BaseOptions = BaseOptions()
    template: str = "judge-timeline-facts"
    regime: str = "fresh"
    refresh: Literal["event", "day", "period"] = "event"
    similarity: str = Field(
        "tfidf",
        description="how item texts are compared, in facts and baselines: none, columns, tfidf or encoder:PATH; of "
        "more than 50,000 items the 50,000 with the most events are those that all are compared with",
    )
    timeline: TimelineOptions = TimelineOptions()
    item_tokens: int = Field(24, ge=1, le=512)
    adapter: AdapterOptions = AdapterOptions()
    fit: FitOptions = FitOptions()
    cache: CacheOptions = CacheOptions()
    tune: TuneOptions = TuneOptions()
    prices: PriceOptions | None = Field(None, description="what machines cost; None: not known")

    @field_validator("regime")
    @classmethod
    def _readable_regime(cls, value: str) -> str:
        Regime.parse(value)
        return value

    @property
    def at_work(self) -> tuple[ContenderOptions, ...]:
        """The contenders that share a base model."""
        return ()

    @field_validator("similarity")
    @classmethod
    def _known_similarity(cls, value: str) -> str:
        return checked(value)

    def settings_of(self, contender: ContenderOptions) -> dict[str, Any]:
        """The contender's settings; one that compares item texts does it as said here, unless it says otherwise."""
        place = "strategies" if contender.kind == "strategy" else "baselines"
        given = inspect.signature(plugin_class(place, contender.use)).parameters
        return ({"similarity": self.similarity} if "similarity" in given else {}) | contender.settings


class ArenaConfig(ModelOptions):
    """A whole run."""

    name: str = "arena"
    data: DataOptions
    contenders: tuple[ContenderOptions, ...] = tuple(ContenderOptions(use=n) for n in DEFAULT_CONTENDERS)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    first_update: int | None = Field(
        None, ge=1, description="close of the period at which renewal begins; None: half way"
    )
    last_update: int | None = Field(None, ge=1)
    ranking: RankingOptions | None = Field(
        None, description="ranked lists; None: as by default under the label rule `implicit`, none otherwise"
    )
    eval_share: float = Field(
        0.1, ge=0, lt=0.5, description="share of the examples never trained on, for the table by period"
    )

    @field_validator("contenders", mode="before")
    @classmethod
    def _names_are_enough(cls, value: Any) -> Any:
        return [{"use": c} if isinstance(c, str) else c for c in value] if isinstance(value, list | tuple) else value

    @field_validator("contenders")
    @classmethod
    def _known_and_distinct(cls, value: tuple[ContenderOptions, ...]) -> tuple[ContenderOptions, ...]:
        labels = [c.label for c in value]
        if twice := sorted({x for x in labels if labels.count(x) > 1}):
            raise ConfigError("contenders", f"the name {', '.join(twice)} occurs twice", "a `name:` for each")
        if not value:
            raise ConfigError("contenders", "none is given", "at least one strategy or baseline")
        for contender in value:
            plugin(contender)
        return value

    @field_validator("seeds")
    @classmethod
    def _some_seed(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or len(set(value)) < len(value):
            raise ConfigError("seeds", f"found {list(value)}", "one or more different whole numbers")
        return value

    @property
    def at_work(self) -> tuple[ContenderOptions, ...]:
        return self.contenders

    @property
    def lists(self) -> RankingOptions | None:
        """How lists are ranked in this run; None where they are not."""
        implicit = LabelRule(self.data.label).implicit and self.data.preset is None
        found = self.ranking or (RankingOptions() if implicit else None)
        return found if found and found.requests else None

    @classmethod
    def read(cls, path: Path) -> ArenaConfig:
        """From a YAML file; paths in it are relative to the file."""
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"configuration '{path}'", f"cannot be read: {error.strerror}", "a YAML file") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"configuration '{path}'", f"is not YAML: {error}", "a YAML file") from error
        if not isinstance(raw, dict):
            raise ConfigError(
                f"configuration '{path}'", f"holds {type(raw).__name__}", "a mapping with at least `data:`"
            )
        return cls.parse(_placed(raw, path.parent), str(path))

    @classmethod
    def parse(cls, raw: dict[str, Any], where: str = "configuration") -> Self:
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise ConfigError(where, *explained(error)) from error


def plugin(options: ContenderOptions) -> Any:
    """The plug-in's class with its settings checked: a strategy instance, or a baseline class."""
    where = f"contender '{options.label}'"
    found = plugin_class("strategies" if options.kind == "strategy" else "baselines", options.use)
    try:
        if options.kind == "strategy":
            return found(**options.settings)
        if options.calibration != "none":
            raise ConfigError(where, f"has calibration {options.calibration}", "none, as for every baseline")
        if options.template is not None:
            raise ConfigError(where, f"has the template {options.template}", "none: a baseline reads no prompts")
        found(Regime(), 0, **options.settings)
    except ValidationError as error:
        raise ConfigError(where, *explained(error)) from error
    except TypeError as error:
        told = re.sub(r"^\w+\.__init__\(\) ", "", str(error))
        raise ConfigError(where, told, "settings that the plug-in has") from error
    return found


def rung_of(options: ContenderOptions, settings: dict[str, Any] | None = None) -> str:
    """The contender's place on the ladder: one of RUNGS, as its plug-in says with its settings.

    `settings` are those of a baseline in its run (`ArenaConfig.settings_of`); without them, its own alone.
    """
    model: Any = plugin(options)
    if options.kind == "baseline":
        model = model(Regime(), 0, **(options.settings if settings is None else settings))
    rung = str(getattr(model, "rung", UNSAID_RUNG[options.kind]))
    if rung not in RUNGS:
        raise ConfigError(f"contender '{options.label}'", f"has the rung '{rung}'", "one of " + ", ".join(RUNGS))
    return rung


def _placed(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The configuration with its paths as seen from `folder`; hub ids and library names stay what they are."""
    placed = {key: {**value} if isinstance(value, dict) else value for key, value in raw.items()}
    if isinstance(placed.get("contenders"), list):
        placed["contenders"] = [{**c} if isinstance(c, dict) else c for c in placed["contenders"]]
    own = [(contender, "template") for contender in placed.get("contenders") or ()]
    data = placed.get("data")
    mapping = data.get("mapping") if isinstance(data, dict) else None
    if isinstance(data, dict) and isinstance(mapping, dict):
        mapping = data["mapping"] = {**mapping}
    places = ((data, "path"), (mapping, "items"), (placed.get("base"), "path"), (placed, "template"), *own)
    for section, key in places:
        if isinstance(section, dict) and isinstance(section.get(key), str):
            there = (folder / section[key]).resolve()
            if there.exists() or section is data or section is mapping:
                section[key] = str(there)
    return placed


def explained(error: ValidationError, schema: str = "regraft arena schema") -> tuple[str, str]:
    """(found, expected) of a pydantic error, every problem on its own line; `schema` prints the fields there are."""
    found = []
    for problem in error.errors():
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, RegraftError):
            raise cause
        place = ".".join(str(p) for p in problem["loc"])
        value = "" if problem["type"] == "missing" else f" (found {problem['input']!r})"
        found.append(f"{place or 'top level'}: {problem['msg']}{value}")
    return "\n  ".join(["", *found]) if len(found) > 1 else found[0], f"the fields shown by: {schema}"
