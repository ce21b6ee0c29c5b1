"""Templates filled: a page in its frame. Whatever comes from data is escaped; figures are finished SVG."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from regraft.dashboard.charts import Chart, file_rows
from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.pages import PAGES, page_named
from regraft.dashboard.standing import standing
from regraft.dashboard.table_csv import as_csv, table_of
from regraft.dashboard.view import EACH, WEEKS, View, day_before
from regraft.report import report
from regraft.setup.site import Site

HERE = Path(__file__).parent


def style() -> str:
    """The report's style sheet and our own behind it, so that a number looks the same in both."""
    own = (HERE / "static" / "dashboard.css").read_text(encoding="utf-8")
    return (Path(report.__file__).parent / "report.css.jinja").read_text(encoding="utf-8") + own


class Renderer:
    """Writes the pages of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.environment = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self.environment.globals.update(
            command=self._command, pages=PAGES, weeks_choices=WEEKS, earlier=day_before, each_arm=EACH
        )  # fmt: skip

    def page(self, name: str, parameters: dict[str, Any], frame: dict[str, Any]) -> str:
        """A whole page."""
        return self._filled("frame.jinja", {**self.content(name, parameters, frame["view"]), **frame})

    def content(self, name: str, parameters: dict[str, Any], view: View) -> dict[str, Any]:
        """What the template of a page is given."""
        words, page = DashboardWords(view.lang), page_named(name)
        now = standing(self.site)
        found = page.content(self.site, view, words, now, **parameters)
        return {
            "w": words, "page": page, "now": now, "refresh": found.pop("refresh", 0), "template": f"{page.name}.jinja",
            "title": words(f"title {page.name}"), "offline": False, **found,
        }  # fmt: skip

    def file(self, name: str, parameters: dict[str, str], frame: dict[str, Any], key: str) -> tuple[str, str] | None:
        """(file name, CSV) of a table of a page, by its key; None where the page has no such table."""
        content = self.content(name, parameters, frame["view"])
        words, newest = content["w"], content["now"].newest
        drawn = next((c for c in _charts(content) if f"{c.page}-{c.measure}" == key and c.numbers is not None), None)
        if drawn is not None:
            rows: Sequence[Sequence[object]] = file_rows(drawn, words)
        else:
            rows = table_of(self._filled(content["template"], {**content, **frame}), key)
        named = "-".join(filter(None, (self.site.options.name, key.replace("_", "-"), newest)))
        return (f"{named}.csv", as_csv(rows)) if rows else None

    def other(self, template: str, frame: dict[str, Any], **values: Any) -> str:
        """A page that is in no menu: a form or an error."""
        words = DashboardWords(frame["view"].lang)
        content = {
            "w": words, "page": None, "now": None, "refresh": 0, "template": f"{template}.jinja", "offline": False,
            "title": words(f"title {template}"),
        }  # fmt: skip
        return self._filled("frame.jinja", {**content, **frame, **values})

    def offline(self, shown: dict[str, dict[str, Any]], view: View, css: Markup) -> str:
        """The content of several pages as one file."""
        own = {"site": self.site.options.name, "view": view, "path": "/", "who": None, "token": "", "given": {}}
        bodies = [
            Markup('<article id="page-{}"><h1>{}</h1>').format(name, content["title"])
            + Markup(self.environment.get_template(content["template"]).render({**own, **content}))
            + Markup("</article>")
            for name, content in shown.items()
        ]
        first = next(iter(shown.values()))
        return self._filled("export.jinja", {**first, **own, "shown": shown, "bodies": bodies, "css": css})

    def sign_in_address(self, view: View, to: str) -> str:
        return f"/sign-in?{urlencode({'lang': view.lang, 'to': to})}"

    def _filled(self, template: str, content: dict[str, Any]) -> str:
        return self.environment.get_template(template).render({"site": self.site.options.name, **content})

    def _command(self, *words: object) -> str:
        """A command to be copied into a shell; SITE is the folder."""
        given = [str(self.site.folder) if word == "SITE" else str(word) for word in words]
        return shlex.join(["regraft", *given])


def _charts(found: object) -> Iterator[Chart]:
    """All charts in what a page is filled with."""
    if isinstance(found, Chart):
        yield found
    elif isinstance(found, Mapping | list | tuple):
        for part in found.values() if isinstance(found, Mapping) else found:
            yield from _charts(part)
