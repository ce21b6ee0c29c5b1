"""One file per page: what it shows, as a template takes it. The order here is that of the menu."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from regraft.dashboard.pages import (
    arena,
    cost,
    data,
    job,
    long_term,
    overview,
    pilot,
    prompt,
    prompts,
    updates,
    version,
    versions,
)

OWNER, ENGINEER, NO_MENU = "owner", "engineer", ""


@dataclass(frozen=True)
class Page:
    """`content(site, view, words, standing, **parameters of the path)` gives what the template is filled with.

    With a `scope` it is given `known`, too: whether who looks is signed in with a key of that scope. Without, nothing
    that anybody did may be shown.
    """

    name: str
    path: str
    group: str
    content: Callable[..., dict[str, Any]]
    scope: str = ""
    inside: str = ""  # of a page in no menu: the page in the menu that leads to it


PAGES = (
    Page("overview", "/", OWNER, overview.content),
    Page("pilot", "/pilot", OWNER, pilot.content),
    Page("long_term", "/long-term", OWNER, long_term.content),
    Page("cost", "/cost", OWNER, cost.content),
    Page("updates", "/updates", ENGINEER, updates.content),
    Page("arena", "/arena", ENGINEER, arena.content),
    Page("versions", "/versions", ENGINEER, versions.content),
    Page("prompts", "/prompts", ENGINEER, prompts.content),
    Page("data", "/data", ENGINEER, data.content),
    Page("version", "/versions/{version}", NO_MENU, version.content, inside="versions"),
    Page("prompt", "/prompts/{number}", NO_MENU, prompt.content, "operate", inside="prompts"),
    Page("prompt_of", "/prompts/{number}/of/{user}", NO_MENU, prompt.content, "operate", inside="prompts"),
    Page("job", "/jobs/{number}", NO_MENU, job.content, inside="updates"),
)


def page_named(name: str) -> Page:
    return next(page for page in PAGES if page.name == name)
