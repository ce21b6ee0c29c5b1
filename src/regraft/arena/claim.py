"""The folder of a run: it belongs to one configuration, and a run writes into no other folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from regraft.data.periods import Cuts, Periods
from regraft.data.stream import Stream
from regraft.errors import OutputError, ResultsError
from regraft.files import write_text
from regraft.output_paths import inside, same
from regraft.setup.config import ArenaConfig

CUTS = "cuts.json"
# What may differ from one start of a run to the next.
FREE = ("name", "contenders", "seeds", "cache", "tune", "prices", "tuned")

# What a run writes into its folder.
FILES = (
    "claim.json", "run.json", "cases.parquet", "scores.parquet", "costs.parquet", "ranks.parquet", "base.json",
    "report.html", CUTS,
)  # fmt: skip
FOLDERS = ("cells", "kept")


def may_write(folder: Path, reads: Iterable[Path]) -> None:
    """OutputError where a run in this folder would write onto what is read, or onto what no run wrote."""
    for name in (*FILES, *FOLDERS):
        for read in reads:
            if same(folder / name, read) or inside(read, folder / name):
                raise OutputError(
                    f"run folder '{folder}'", f"holds '{read}', which is read, where the run writes its {name}",
                    "a folder of its own for every run", "Choose another folder with: --out DIR",
                )  # fmt: skip
    if (folder / "claim.json").is_file() or (folder / "cells").is_dir():
        return
    # Cuts alone may be laid there: a new run then has the periods of another one.
    if there := [name for name in (*FILES, *FOLDERS) if name != CUTS and os.path.lexists(folder / name)]:
        raise OutputError(
            f"run folder '{folder}'", f"holds {', '.join(there)}, which no run wrote", "a new folder, or that of a run",
            "Choose another folder with: --out DIR",
        )  # fmt: skip


def claim(folder: Path, config: ArenaConfig, stream: Stream, template: str, own: Mapping[str, str]) -> bool:
    """Makes the folder this run's; refuses one that holds another run. `template` is a hash.

    `own` are hashes of the templates that contenders have of their own, by label.
    Contenders and seeds may be added or left out, but a name that was once used keeps its meaning: finished
    cells carry no other. The log may have grown since: True where it has.
    """
    mine: dict[str, Any] = {
        "config": json.loads(config.model_dump_json()),
        "data": stream.fingerprint,
        "periods": {str(period): hash for period, hash in stream.hashes.items()},
        "template": template,
    }
    known = {
        c.label: {k: v for k, v in c.model_dump(mode="json").items() if v is not None}
        | ({"text": own[c.label]} if c.label in own else {})
        for c in config.contenders
    }
    path, grown = folder / "claim.json", False
    if path.is_file():
        theirs = read_claim(path)
        grown = theirs["data"] != mine["data"] and _grown(theirs["periods"], mine["periods"])
        if changed := _changed(theirs, mine, known, grown):
            raise ResultsError(
                f"run folder '{folder}'",
                f"holds another run: {', '.join(changed)} differ",
                "the configuration it was begun with, or an empty folder",
                "Choose another folder with: --out DIR",
            )
        known = theirs["known"] | known
    write_text(path, json.dumps(mine | {"known": known}, indent=2))
    return grown


def keep_cuts(folder: Path, periods: Periods, cuts: Cuts | None, first_update: int) -> None:
    """Writes down where periods begin and the first update: what was cut stays cut, however the log grows."""
    if cuts is not None:
        saved = {"periods": periods.model_dump(mode="json"), "cuts": cuts.as_dict(), "first_update": first_update}
        write_text(folder / CUTS, json.dumps(saved, indent=2))


def kept_cuts(folder: Path, periods: Periods) -> Cuts | None:
    """The cuts that a run in the folder was begun with; None where there are none for these settings."""
    saved = _kept(folder, periods)
    return Cuts.of_dict(saved["cuts"], str(folder / CUTS)) if saved else None


def kept_first_update(folder: Path, periods: Periods) -> int | None:
    """The first update of the run in the folder; None where none was begun with these settings."""
    saved = _kept(folder, periods)
    return int(saved["first_update"]) if saved else None


def _kept(folder: Path, periods: Periods) -> dict[str, Any] | None:
    try:
        saved = json.loads((folder / CUTS).read_text(encoding="utf-8"))
        same = saved["periods"] == periods.model_dump(mode="json") and {"cuts", "first_update"} <= set(saved)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(saved) if same else None


def _grown(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether all periods but the last are what they were; the last one may have been open."""
    closed = sorted(old, key=int)[:-1]
    return bool(closed) and all(new.get(period) == old[period] for period in closed)


def _changed(theirs: dict[str, Any], mine: dict[str, Any], known: dict[str, Any], grown: bool) -> list[str]:
    """What cannot be told apart in the results if both write into one folder."""
    fields = [k for k in mine["config"] if k not in FREE and mine["config"][k] != theirs["config"].get(k)]
    names = [f"contender {k}" for k in known if k in theirs["known"] and known[k] != theirs["known"][k]]
    texts = {"data": "the rows of the data", "template": "the text of the template"}
    hashes = [text for k, text in texts.items() if k not in fields and mine[k] != theirs[k]]
    return fields + names + [text for text in hashes if not (grown and text == texts["data"])]


def read_claim(path: Path) -> dict[str, Any]:
    """What a run wrote about itself when it began; ResultsError where the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if {"config", "data", "periods", "template", "known"} <= set(found):
            return dict(found)
        reason = "lacks an entry"
    except (OSError, ValueError, TypeError) as error:
        reason = f"cannot be read: {error}"
    raise ResultsError(
        str(path), reason, "what a run of the arena wrote",
        "Remove this file where this very configuration began the run: finished cells are kept\n"
        "Choose another folder with: --out DIR",
    )  # fmt: skip
