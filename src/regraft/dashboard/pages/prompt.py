"""One template: its text, what the model reads of a person, what is wrong with it, and what it changes."""

from __future__ import annotations

from typing import Any

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.later import later
from regraft.dashboard.lengths import shown
from regraft.dashboard.pages.prompts import fields, listed
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.errors import RegraftError, StateError
from regraft.prompts.lint import Finding, lint
from regraft.setup.prompting import Desk
from regraft.setup.site import Site
from regraft.studio.example_person import NAME, example_desk
from regraft.studio.prompt_lengths import PromptLengths, prompt_lengths
from regraft.studio.reading import Reading, people, reading
from regraft.studio.shelf import diff, shelf
from regraft.studio.trial import kept

PEOPLE = 6  # of whom a preview is offered


def content(
    site: Site, view: View, words: DashboardWords, now: Standing, number: str, user: str = "", known: bool = False
) -> dict[str, Any]:  # fmt: skip
    """`known`: who looks holds a key that may write templates; anybody else is shown a made-up person."""
    one = next((one for one in shelf(site) if str(one.saved.id) == number), None)
    if one is None:
        raise StateError(
            "template '{number}'", "is not known", "a number that the page Prompts lists", number=number[:40]
        )
    saved = one.saved
    found: dict[str, Any] = {
        "one": listed(one), "source": saved.source, "name": saved.name, "chips": fields(site, now, view.lang),
        "diff": diff(site, number), "trials": [t for t in kept(site) if t["draft"]["hash"] == saved.hash][:5],
        "read": None, "findings": [], "error": None, "people": [], "known": known, "lengths": None,
        "shape": site.options.timeline,
        "title": f"{words('title prompt')} {saved.id} · {saved.name}",
    }  # fmt: skip
    whose = f"of {user}" if known else "made up"
    try:
        seen = later(
            f"prompt {site.folder} {saved.hash} {now.newest} {whose}", lambda: _looked_at(site, number, user, known)
        )
    except RegraftError as error:
        return {**found, "error": error}
    if seen is None:
        return {**found, "refresh": 2}
    read, findings, others, lengths = seen
    return {**found, "read": read, "findings": findings, "people": others, "lengths": shown(lengths, words)}


def _looked_at(
    site: Site, number: str, user: str, known: bool
) -> tuple[Reading, list[Finding], list[str], PromptLengths | None]:
    desk = Desk.of_site(site, number)
    findings, lengths = lint(desk.template, desk.stream.items, [desk.stream]), prompt_lengths(desk)
    if not known:
        made_up = example_desk(desk, site.options.data.label)
        return reading(made_up, NAME, tokens=desk.base is not None), findings, [], lengths
    return reading(desk, user or None, tokens=desk.base is not None), findings, people(desk, PEOPLE), lengths
