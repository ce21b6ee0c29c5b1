"""The nano base of a configuration: built into a folder of the user's choice, or found where a run left it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from regraft.cost import Cost
from regraft.data.regimes import Regime
from regraft.data.source import open_stream
from regraft.data.stream import Stream
from regraft.errors import ConfigError, ModelError
from regraft.lm.options import NanoOptions
from regraft.prompts.template import Template
from regraft.setup.config import ArenaConfig, explained

if TYPE_CHECKING:
    from regraft.lm.fit import Progress

LINEAGE = "lineage.json"


def nano_options(config: ArenaConfig, objective: str | None = None) -> NanoOptions:
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
        if other := differs(out, made_of(config, options, warm_up, template)):
            raise ModelError(
                f"folder '{out}'", f"holds {other}", "a new folder, or an empty one", "Choose another name"
            )
        return None
    return build_nano(
        out.resolve(), warm_up, template, options, regime=Regime.parse(config.regime), shape=config.timeline.shape,
        refresh=config.refresh, progress=progress,
    )  # fmt: skip


def built_beside(folder: Path, config: ArenaConfig, stream: Stream, template: Template) -> Path | None:
    """The nano base that a run in `folder` would use, where it was built before."""
    options = nano_options(config)
    wanted = made_of(config, options, stream.warm_up(), template)
    beside = sorted(folder.parent.glob(f"nano-{options.objective}-*"))
    return next((path for path in beside if not differs(path, wanted)), None)


def made_of(config: ArenaConfig, options: NanoOptions, warm_up: Stream, template: Template) -> dict[str, Any]:
    """What tells one nano base from another, as its lineage names it."""
    return {
        "options": options.model_dump(),
        "data": warm_up.fingerprint,
        "template": template.hash,
        "regime": str(Regime.parse(config.regime)),
        "timeline": [config.timeline.context, config.timeline.targets],
    }


def differs(folder: Path, wanted: dict[str, Any]) -> str:
    """What is in a folder instead of the wanted base, in words; empty where it is that base."""
    try:
        lineage = json.loads((folder / LINEAGE).read_text(encoding="utf-8"))
        found = {key: lineage[key] for key in wanted}
    except (OSError, ValueError, KeyError, TypeError):
        return "something else than a base built by regraft"
    changed = [key for key in wanted if wanted[key] != found[key]]
    return f"a base built with other {', '.join(changed)}" if changed else ""
