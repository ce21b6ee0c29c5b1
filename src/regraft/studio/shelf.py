"""The templates of a site, from draft to use: each step looks at the text again and is written into the ledger."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from regraft.errors import TemplateError
from regraft.files import write_text
from regraft.prompts.confined import Confined
from regraft.prompts.lint import Finding
from regraft.prompts.template import Template, source_of
from regraft.release.runs import now
from regraft.said import Said
from regraft.setup.lint import Linted, lint_at
from regraft.setup.prompting import Desk, confined
from regraft.setup.site import Site
from regraft.state import templates
from regraft.state.database import transaction
from regraft.state.ledger import Entry
from regraft.state.templates import Saved


@dataclass(frozen=True)
class Step:
    """A template after a step, and what was found in it."""

    saved: Saved
    linted: Linted


def save(site: Site, file: str | Path, by: str, name: str = "") -> Saved:
    """A new draft of what a file, or a template of the library, says; the same text twice is one draft.

    Raises TemplateError where it cannot be rendered.
    """
    source, own = source_of(file)
    return save_text(site, source, by, name or own)


def save_text(site: Site, source: str, by: str, name: str) -> Saved:
    """As `save`, of a text."""
    template = Confined(source, name)
    _rendered(template)
    with transaction(site.engine) as connection:
        saved = templates.save(connection, name, template.hash, source, by, now())
    place = site.folder / saved.file
    if not place.is_file():
        write_text(place, source)
    return saved


def approve(site: Site, number: int, by: str) -> Step:
    """Lets a draft go live later. TemplateError where lint finds an error in it."""
    return _step(site, number, by, templates.approve)


def put_live(site: Site, number: int, by: str) -> Step:
    """The contenders of the site that name no template of their own learn from it at the next update."""
    return _step(site, number, by, templates.put_live)


def _step(site: Site, number: int, by: str, take: Callable[[Connection, int, str, int], Saved]) -> Step:
    with transaction(site.engine) as connection:
        found = templates.template(connection, number)
    linted = look(site, str(number))
    if errors := [finding for finding in linted.findings if finding.level == "error"]:
        raise _in_the_way(found, errors)
    with transaction(site.engine) as connection:
        saved = take(connection, number, by, now())
    return Step(saved, linted)


def look(site: Site, template: str) -> Linted:
    """What is wrong with a template of a site: by its text, the items, examples, and the base model that is there."""
    desk = Desk.of_site(site, template)
    return lint_at(desk, desk.base)


@dataclass(frozen=True)
class Listed:
    """One line of the shelf: a template and who did what to it."""

    saved: Saved
    entries: tuple[Entry, ...]  # of the ledger, oldest first

    def by(self, kind: str) -> str:
        """Who did this last; empty where nobody did."""
        return next((str(entry.details["by"]) for entry in reversed(self.entries) if entry.kind == kind), "")

    @property
    def own_approval(self) -> bool:
        """Whether its author approved it: nobody else has looked."""
        return self.by(templates.WAS_APPROVED) == self.saved.author


def shelf(site: Site) -> list[Listed]:
    """All templates of a site, newest first."""
    with transaction(site.engine) as connection:
        entries = templates.history(connection)
        return [Listed(one, tuple(entries.get(one.id, ()))) for one in reversed(templates.listed(connection))]


def diff(site: Site, one: str, other: str | None = None) -> list[str]:
    """Lines of a unified diff from `one` to `other`: numbers, files or names; None is the template in use.

    With one template given, it is compared with the one in use.
    """
    before, after = (confined(site, other), confined(site, one)) if other is None else _both(site, one, other)
    old, new = (template.source.splitlines(keepends=True) for template in (before, after))
    return [line.rstrip("\n") for line in difflib.unified_diff(old, new, before.name, after.name)]


def _both(site: Site, one: str, other: str) -> tuple[Template, Template]:
    return confined(site, one), confined(site, other)


def _rendered(template: Template) -> None:
    """TemplateError where a block cannot be rendered, whichever fields an item has."""
    fields = template.fields
    for present in [fields, [], *([field] for field in fields), *([f for f in fields if f != g] for g in fields)]:
        if template.kind == "timeline":
            template.skeleton(present)
        else:
            items = [(0, present)]
            template.prompt(items, items, (1, present), dict.fromkeys(template.facts, "0"))


def _in_the_way(found: Saved, errors: list[Finding]) -> TemplateError:
    first = errors[0]
    what = Said("{what} (and {n} more)", what=first.what, n=len(errors) - 1) if len(errors) > 1 else first.what
    return TemplateError(found.said, what, "a template without errors", first.advice)
