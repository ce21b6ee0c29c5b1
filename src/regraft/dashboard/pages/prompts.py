"""Prompts: the templates of a site, what they may say, and what tests of them found."""

from __future__ import annotations

from typing import Any

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.later import later
from regraft.dashboard.lengths import shown
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.errors import RegraftError
from regraft.prompts.chips import Chip, chips
from regraft.release.runs import date_of
from regraft.setup.prompting import Desk, confined
from regraft.setup.site import Site
from regraft.state import templates
from regraft.studio.prompt_lengths import prompt_lengths
from regraft.studio.shelf import shelf
from regraft.studio.trial import kept


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    used = confined(site)
    found = {
        "shelf": [listed(one) for one in shelf(site)], "trials": kept(site)[:20], "used": used.name,
        "source": used.source, "name": used.name, "chips": fields(site, now, view.lang), "error": None,
        "lengths": None, "shape": site.options.timeline,
    }  # fmt: skip
    if not now.newest:
        return found
    try:
        counted = later(
            f"lengths {site.folder} {used.hash} {now.newest}", lambda: (prompt_lengths(Desk.of_site(site, used)),)
        )
    except RegraftError as error:
        return {**found, "error": error}
    if counted is None:
        return {**found, "refresh": 2}
    return {**found, "lengths": shown(counted[0], words)}


def listed(one: Any) -> dict[str, Any]:
    """A line of the shelf."""
    saved = one.saved
    return {
        "id": saved.id, "name": saved.name, "state": saved.state, "author": saved.author, "day": date_of(saved.at),
        "hash": saved.hash, "approved_by": one.by(templates.WAS_APPROVED), "own": one.own_approval, "file": saved.file,
    }  # fmt: skip


def fields(site: Site, now: Standing, lang: str) -> list[Chip]:
    """What a template may print; empty while the items are being looked at."""
    return later(f"chips {site.folder} {now.newest} {lang}", lambda: chips(site.catalogue(), lang)) or []
