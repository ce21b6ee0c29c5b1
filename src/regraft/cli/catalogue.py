"""Everything that can be chosen by name: plug-ins, templates and facts, each with its line of explanation."""

from __future__ import annotations

from dataclasses import dataclass

from regraft import plugins
from regraft.errors import PluginError

KINDS = (*plugins.KINDS, "templates", "facts")


@dataclass(frozen=True)
class Entry:
    """`problem` says why it cannot be used, empty when it can."""

    kind: str
    name: str
    summary: str
    problem: str = ""


def entries(kind: str | None = None) -> list[Entry]:
    """All entries of one kind, or of all kinds; nothing is imported that would be listed."""
    if kind is None:
        return [entry for one in KINDS for entry in entries(one)]
    if kind in plugins.KINDS:
        return [Entry(kind, p.name, p.summary, p.problem) for p in plugins.plugins(kind)]
    if kind == "templates":
        from regraft.prompts.template import library

        return [Entry(kind, name, summary) for name, summary in library().items()]
    if kind == "facts":
        from regraft.prompts.facts import FACTS

        return [Entry(kind, fact.name, fact.meaning) for fact in FACTS.values()]
    raise PluginError(f"plug-ins: '{kind}'", "there is no such kind", "one of " + ", ".join(KINDS))
