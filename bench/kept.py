"""What a benchmark has measured and keeps: the same command goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regraft.files import write_text


def once(path: Path, measure: Callable[[], Any]) -> Any:
    """What lies in the file, as JSON holds it; where there is no file it is measured, and lies there from then on."""
    if not path.is_file():
        found = measure()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(found, indent=2))
    return json.loads(path.read_text(encoding="utf-8"))
