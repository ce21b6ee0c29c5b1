"""What a nano base is made of: the one identity that its folder's name, its lineage and its checkpoint go by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.options import NanoOptions
from regraft.prompts.facts import wanted
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

LINEAGE = "lineage.json"


def made_of(
    warm_up: Stream, template: Template, options: NanoOptions, regime: Regime, shape: Shape, refresh: str,
    similarity: str = "tfidf",
) -> dict[str, Any]:  # fmt: skip
    """All that tells one nano base from another, as its lineage.json writes it down."""
    compares = wanted(template.facts, similarity)
    return {
        "options": options.model_dump(),
        "data": warm_up.fingerprint,
        "template": template.hash,
        "regime": str(regime),
        "timeline": [shape.context, shape.targets],
        "refresh": refresh,
    } | ({} if compares == "none" else {"similarity": compares})


def identity(made: dict[str, Any]) -> str:
    """12 hexadecimal digits."""
    return hashlib.blake2b(json.dumps(made, sort_keys=True).encode(), digest_size=6).hexdigest()


def differs(folder: Path, wanted: dict[str, Any]) -> str:
    """What is in a folder instead of the wanted base, in words; empty where it is that base."""
    try:
        lineage = json.loads((folder / LINEAGE).read_text(encoding="utf-8"))
        built = lineage["built"] == "nano"
    except (OSError, ValueError, KeyError, TypeError):
        built = False
    if not built:
        return "something else than a base built by regraft"
    changed = [key for key in wanted if wanted[key] != lineage.get(key)]  # older lineages lack an entry: not known
    return f"a base built with other {', '.join(changed)}" if changed else ""
