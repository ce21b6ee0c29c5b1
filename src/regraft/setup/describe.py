"""A base model looked at with everything that is at hand: its folder and, with a configuration, a log's events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from regraft.prompts.template import Template
from regraft.setup.config import ArenaConfig
from regraft.setup.prompting import Desk


def describe_base(
    folder: str, template: str | None = None, config: Path | None = None, dtype: str | None = None
) -> dict[str, Any]:
    """Facts by name. `template` and `dtype` take the place of the configuration's."""
    from regraft.lm.preflight import must_be_there

    must_be_there(folder)  # said before PyTorch is loaded
    from regraft.lm.describe import describe

    if not config:
        default = ArenaConfig.model_fields["template"].default
        return describe(folder, Template.load(template or default), dtype or "auto")
    desk = Desk.at(config, template)
    base = desk.config.base
    return describe(
        folder, desk.template, dtype or base.dtype, desk.tokens_per_event, base.device, base.trust_remote_code,
        desk.config.adapter,
    )  # fmt: skip
