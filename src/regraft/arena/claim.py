"""A run's folder: whose it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regraft.errors import ResultsError
from regraft.files import whole
from regraft.setup.config import ArenaConfig

FREE = ("name", "contenders", "seeds", "cache")  # what may differ from one start of a run to the next


def claim(folder: Path, config: ArenaConfig, stream: str, template: str, own: Mapping[str, str]) -> None:
    """Makes the folder this run's; refuses one that holds another run. `stream` and `template` are hashes.

    `own` are hashes of the templates that contenders have of their own, by label.
    Contenders and seeds may be added or left out, but a name that was once used keeps its meaning: finished
    cells carry no other.
    """
    mine: dict[str, Any] = {"config": json.loads(config.model_dump_json()), "data": stream, "template": template}
    known = {
        c.label: {k: v for k, v in c.model_dump(mode="json").items() if v is not None}
        | ({"text": own[c.label]} if c.label in own else {})
        for c in config.contenders
    }
    path = folder / "claim.json"
    if path.is_file():
        theirs = _read(path)
        if changed := _changed(theirs, mine, known):
            raise ResultsError(
                f"run folder '{folder}'",
                f"holds another run: {', '.join(changed)} differ",
                "the configuration it was begun with, or an empty folder",
                "Choose another folder with: --out DIR",
            )
        known = theirs["known"] | known
    folder.mkdir(parents=True, exist_ok=True)
    whole(path, lambda part: part.write_text(json.dumps(mine | {"known": known}, indent=2)))


def _changed(theirs: dict[str, Any], mine: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """What cannot be told apart in the results if both write into one folder."""
    fields = [k for k in mine["config"] if k not in FREE and mine["config"][k] != theirs["config"].get(k)]
    names = [f"contender {k}" for k in known if k in theirs["known"] and known[k] != theirs["known"][k]]
    texts = {"data": "the rows of the data", "template": "the text of the template"}
    hashes = [text for k, text in texts.items() if k not in fields and mine[k] != theirs[k]]
    return fields + names + hashes


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if {"config", "data", "template", "known"} <= set(found):
            return dict(found)
        reason = "lacks an entry"
    except (OSError, ValueError, TypeError) as error:
        reason = f"cannot be read: {error}"
    raise ResultsError(str(path), reason, "what a run of the arena wrote", "Choose another folder with: --out DIR")
