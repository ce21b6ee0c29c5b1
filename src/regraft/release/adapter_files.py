"""The adapter of a version where other engines look for one: PEFT's two files right in the folder of the version.

vLLM's file-system resolver, pointed at the folder versions/, then finds an adapter by the name of its version.
"""

from __future__ import annotations

import json
from pathlib import Path

from regraft.files import whole
from regraft.workbench import CONTENDER

BLEND = Path(CONTENDER) / "blend"  # of a contender with a language model


def lay_adapter(staging: Path) -> bool:
    """Copies the adapter of a staged contender to its root, where it has exactly one that any engine can apply.

    A version that blends several adapters has no such files, nor has one whose adapter acts at targets alone: another
    engine would give other scores. A calibration is no part of them: engines give the raw log-odds. Returns whether
    there was one.
    """
    described = staging / BLEND / "blend.json"
    if not described.is_file():
        return False
    from regraft.lm.adapter import CONFIG, WEIGHTS

    parts = json.loads(described.read_text(encoding="utf-8"))["parts"]
    folder = staging / BLEND / "adapters" / str(parts[0][0])
    if len(parts) > 1 or not (folder / WEIGHTS).is_file():
        return False
    for name in (WEIGHTS, CONFIG):
        content = (folder / name).read_bytes()
        whole(staging / name, lambda part, content=content: part.write_bytes(content))  # type: ignore[misc]
    return True
