"""What somebody asks for beside pages: a report's file, an action's confirmation, an action."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regraft.dashboard.actions import Action
from regraft.errors import ResultsError
from regraft.output_paths import inside
from regraft.release.runs import now
from regraft.setup.site import Site
from regraft.state import jobs, versions
from regraft.state.database import transaction
from regraft.state.jobs import Job
from regraft.state.keys import ApiKey
from regraft.state.templates import Saved
from regraft.studio.shelf import save_text


def report(site: Site, name: str) -> Path:
    """A page of the site's folder of reports; ResultsError for anything else."""
    path = site.reports / name
    if path.suffix != ".html" or not inside(path, site.reports) or not path.is_file():
        raise ResultsError("report '{name}'", "is not there", "one that the page Arena lists", name=name)
    return path


def values_of(wanted: Action, given: Mapping[str, str], who: ApiKey) -> dict[str, str]:
    """The values of an action's fields; who does it is whoever is signed in, whatever a form says."""
    return {field: who.name if field == "by" else given.get(field, "") for field in wanted.fields}


def save(site: Site, form: Mapping[str, str], who: ApiKey) -> Saved:
    """A text as a new draft; TemplateError where it cannot be rendered."""
    source = form.get("source", "").replace("\r\n", "\n")
    return save_text(site, source, who.name, form.get("name", ""))


def confirmation(site: Site, wanted: Action, values: Mapping[str, str]) -> dict[str, Any]:
    """The command of an action, and what is in service now."""
    with transaction(site.engine) as connection:
        champion = versions.alias(connection, "champion")
    command = wanted.command(site.folder, values)
    return {
        "action": wanted,
        "command_line": shlex.join(["regraft", *command]),
        "champion": champion.version if champion else "–",
    }


def ask(site: Site, wanted: Action, form: Mapping[str, str], who: ApiKey) -> Job:
    """Writes the job of an action down, in the ledger too."""
    with transaction(site.engine) as connection:
        return jobs.ask(connection, wanted.name, wanted.command(site.folder, form), who.name, now())
