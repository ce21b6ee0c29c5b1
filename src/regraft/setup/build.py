"""The nano base of a configuration: built into a folder of the user's choice, or found where a run left it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from regraft.cost import Cost
from regraft.data.regimes import Regime
from regraft.data.source import open_stream
from regraft.data.stream import Stream
from regraft.errors import ConfigError, ModelError
from regraft.lm.nano_identity import differs, identity, made_of
from regraft.lm.options import NanoOptions
from regraft.prompts.template import Template
from regraft.setup.config import ArenaConfig, ModelOptions, explained

if TYPE_CHECKING:
    from regraft.lm.fit import Progress


def nano_options(config: ModelOptions, objective: str | None = None) -> NanoOptions:
    """The settings of the build; `objective` takes the place of the configuration's."""
    try:
        return NanoOptions(**config.base.nano | ({"objective": objective} if objective else {}))
    except ValidationError as error:
        raise ConfigError("base.nano", *explained(error)) from error


def build_base(
    config: ArenaConfig, out: Path, objective: str | None = None, progress: Progress | None = None
) -> Cost | None:
    """Builds `nano` from the configuration's warm-up rows into `out`; None where this very base is there.

    A stopped build goes on; a folder that holds anything else is left alone.
    """
    options, template = nano_options(config, objective), Template.load(config.template)
    from regraft.lm.nano import build_nano

    warm_up = open_stream(config.data).warm_up()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if other := differs(out, _made(config, options, warm_up, template)):
            raise ModelError(
                f"folder '{out}'", f"holds {other}", "a new folder, or an empty one", "Choose another name"
            )
        return None
    return build_nano(
        out.resolve(), warm_up, template, options, regime=Regime.parse(config.regime), shape=config.timeline.shape,
        refresh=config.refresh, similarity=config.similarity, more_history=config.more_history, progress=progress,
    )  # fmt: skip


def nano_place(folder: Path, config: ModelOptions, stream: Stream, template: Template) -> tuple[Path, bool]:
    """The nano base that a run in `folder` uses, and whether it is built."""
    options = nano_options(config)
    made = _made(config, options, stream.warm_up(), template)
    place = folder.parent / f"nano-{options.objective}-{identity(made)}"
    return place, not differs(place, made)


def _made(config: ModelOptions, options: NanoOptions, warm_up: Stream, template: Template) -> dict[str, Any]:
    regime, shape = Regime.parse(config.regime), config.timeline.shape
    return made_of(warm_up, template, options, regime, shape, config.refresh, config.similarity)
