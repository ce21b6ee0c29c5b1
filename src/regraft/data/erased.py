"""uids of erased people in a file outside of every site and its backups: what a restored backup is compared with.

One JSON line per person. A uid is random, and once the vault's row is gone it is nobody's; the commitment names the
person to who holds the salt.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from regraft.data.pseudonyms import key_file
from regraft.errors import ConfigError
from regraft.files import alone, durable, write_text
from regraft.output_paths import inside
from regraft.said import Said

VARIABLE = "REGRAFT_ERASED_FILE"


@dataclass(frozen=True)
class Erased:
    """One erased person. `at` in ms."""

    uid: str
    commitment: str
    site: str
    at: int


def erased_file() -> Path:
    """Where the list lies: what the environment names, else beside the key of the id vault."""
    given = os.environ.get(VARIABLE)
    return Path(given).expanduser() if given else key_file().with_name("erased.jsonl")


def erased(site: Path) -> dict[str, Erased]:
    """By uid, everybody on the list; ConfigError where it lies inside the site or cannot be read."""
    path = erased_file()
    where = Said("list of the erased '{path}'", path=path)
    if inside(path, site):
        raise ConfigError(
            where, "lies inside the site '{site}'", "a file outside it", "Set {variable} to another",
            site=site, variable=VARIABLE,
        )  # fmt: skip
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return {one["uid"]: Erased(**one) for one in map(json.loads, lines)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(where, "cannot be read: {reason}", "one JSON line per person", reason=error) from error


def add(site: Path, one: Erased) -> None:
    """Puts a person on the list, once; it is on the disk when this returns."""
    path = erased_file()
    with alone(path.with_suffix(".lock")):
        known = erased(site)
        if one.uid in known:
            return
        lines = [json.dumps(asdict(found)) for found in (*known.values(), one)]
        with durable(path):
            write_text(path, "\n".join(lines) + "\n")
