"""The demo: one configuration that ships with regraft, in English or Japanese."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from regraft.arena.compare import Arena
from regraft.errors import MissingExtraError
from regraft.extras import missing
from regraft.output_paths import output
from regraft.report.report import PAGE_MARK
from regraft.setup.config import ArenaConfig

TEMPLATES = {"en": "judge-brief", "ja": "judge-brief-ja"}


def demo_config(lang: str = "en") -> ArenaConfig:
    """cli/demo.yaml with the words of the language."""
    raw = yaml.safe_load((resources.files("regraft.cli") / "demo.yaml").read_text(encoding="utf-8"))
    return ArenaConfig.parse(spoken(raw, lang), "demo.yaml")


def spoken(raw: dict[str, Any], lang: str) -> dict[str, Any]:
    """The configuration with titles, genres and prompt in the language."""
    data = raw["data"] | {"drift_world": raw["data"]["drift_world"] | {"language": lang}}
    return raw | {"data": data, "template": TEMPLATES[lang]}


def open_demo(out: Path, lang: str = "en") -> Arena:
    """The demo's arena; its base model will lie beside its results in `out`."""
    if absent := missing("lm"):
        raise MissingExtraError("the demo", "lm", absent[0])
    output(out / "report.html", force=None, mark=PAGE_MARK)  # before the work, not after it
    return Arena(demo_config(lang), out / f"run-{lang}")
