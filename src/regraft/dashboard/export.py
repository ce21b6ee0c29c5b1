"""The pages of the menu as one file that needs no server, to be mailed or kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from regraft.dashboard.pages import PAGES
from regraft.dashboard.render import Renderer, style
from regraft.dashboard.view import View
from regraft.files import write_text
from regraft.output_paths import output
from regraft.setup.site import Site

MOST = 2_000_000  # bytes: what a mail takes


def export(site: Site, out: Path, view: View, force: bool = False) -> Path:
    """Writes the file; OutputError where another one is there."""
    output(out, (site.folder,), force)
    renderer = Renderer(site)
    shown: dict[str, dict[str, Any]] = {}
    for page in PAGES:
        if page.group:
            shown[page.name] = {**renderer.content(page.name, {}, view), "offline": True, "filters": False}
    write_text(out, renderer.offline(shown, view, Markup(style())))
    return out
