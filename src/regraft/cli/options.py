"""Options that several commands share, explained once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regraft.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="YAML file of the run; see `regraft arena init`.")
]
Folder = Annotated[Path, typer.Argument(metavar="SITE", help="Folder of the site, made by `regraft init`.")]
MaybeConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="YAML file of the run; see `regraft arena init`.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace a file that regraft did not write; one that is read is never replaced.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Wait = Annotated[
    str,
    typer.Option("--wait", metavar="TIME", help="Wait so long for another process that works on the site, e.g. 2h."),
]
MaybeBase = Annotated[
    Path | None, typer.Option("--base", metavar="DIR", help="Base model: show and count its tokens as well.")
]


class Language(StrEnum):
    """Languages of reports and verdicts."""

    en = "en"
    ja = "ja"


class ExportFormat(StrEnum):
    """Formats of other training tools."""

    trl = "trl"
    alpaca = "alpaca"
    sharegpt = "sharegpt"


Lang = Annotated[Language, typer.Option("--lang", help="Language of report and verdict.")]


def seconds_of(wait: str) -> float:
    """The seconds of --wait; ConfigError where it is no time."""
    from regraft.data.regimes import duration

    return duration(wait) / 1000


def columns(given: Sequence[str]) -> dict[str, Any] | None:
    """--mapping as a dictionary, None where it is not given; a column may be called `no` or `7`."""
    read = pairs(given, "--mapping")
    named = {key: value for key, _, value in (one.partition("=") for one in given)}
    return {key: value if isinstance(value, dict) else named[key] for key, value in read.items()} or None


def pairs(given: Sequence[str], option: str) -> dict[str, Any]:
    """KEY=VALUE arguments as a dictionary; values are read as YAML, so that 3 is a number and null is nothing."""
    import yaml

    found: dict[str, Any] = {}
    for one in given:
        key, sign, value = one.partition("=")
        if not sign or not key:
            raise ConfigError(option, f"'{one}' is no pair", f"{option} KEY=VALUE, e.g. {option} user_id=customer")
        try:
            found[key] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError:
            found[key] = value
    return found
