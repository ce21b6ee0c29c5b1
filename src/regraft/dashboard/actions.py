"""What a person may do from a page. Every action is a command of regraft: shown, confirmed, and run as it is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from regraft.errors import ConfigError

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}")
NUMBER = re.compile(r"\d{1,9}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
WEEKS = re.compile(r"[1-9]|1[0-2]")
PERSON = re.compile(r"[^\x00-\x1f]{1,64}")  # the name of the key: who does it
SHARE = re.compile(r"0\.05|0\.25|0\.5|1")


@dataclass(frozen=True)
class Action:
    """A command by its words; "{name}" is replaced by the value of that field, "SITE" by the folder.

    `fields`: what a value must look like, so that none is ever read as an option. A key needs the `scope`.
    """

    name: str
    words: tuple[str, ...]
    fields: Mapping[str, re.Pattern[str]]
    scope: str = "operate"

    def command(self, site: Path, values: Mapping[str, str]) -> tuple[str, ...]:
        """The words behind `regraft`; ConfigError for a value that cannot be meant."""
        for field, pattern in self.fields.items():
            if not pattern.fullmatch(values.get(field, "")):
                raise ConfigError(
                    "action '{name}'", "has no such {field}", "a {field} as the page shows it",
                    name=self.name, field=field,
                )  # fmt: skip
        return tuple(str(site) if word == "SITE" else word.format_map(values) for word in self.words)


ACTIONS = {
    action.name: action
    for action in (
        Action("update", ("update", "SITE"), {}),
        Action("accept", ("update", "SITE", "--accept", "{run}"), {"run": NUMBER}),
        Action("skip", ("update", "SITE", "--skip", "{run}"), {"run": NUMBER}),
        Action("promote", ("promote", "SITE", "{version}"), {"version": VERSION}),
        Action("rollback", ("rollback", "SITE", "{version}"), {"version": VERSION}),
        Action("start", ("pilot", "start", "SITE", "{pilot}", "--share", "{share}"), {"pilot": NAME, "share": SHARE}),
        Action("ramp", ("pilot", "ramp", "SITE", "{share}", "{pilot}"), {"pilot": NAME, "share": SHARE}),
        Action("extend", ("pilot", "extend", "SITE", "{weeks}", "{pilot}"), {"pilot": NAME, "weeks": WEEKS}),
        Action("stop", ("pilot", "stop", "SITE", "{pilot}"), {"pilot": NAME}),
        Action("decide", ("pilot", "decide", "SITE", "{pilot}"), {"pilot": NAME}),
        Action("try", ("prompt", "test", "SITE", "{template}"), {"template": NUMBER}),
        Action("approve", ("prompt", "approve", "SITE", "{template}", "--by={by}"), {"template": NUMBER, "by": PERSON}),
        Action("live", ("prompt", "live", "SITE", "{template}", "--by={by}"), {"template": NUMBER, "by": PERSON}),
        Action("erase", ("forget", "SITE"), {}, scope="privacy"),
    )
}


def action(name: str) -> Action:
    """The action of this name; ConfigError where there is none."""
    if name not in ACTIONS:
        raise ConfigError("action '{name}'", "does not exist", "one of {names}", name=name, names=", ".join(ACTIONS))
    return ACTIONS[name]
