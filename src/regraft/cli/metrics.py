"""`regraft metrics`: the newest numbers of a site, short and long term."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from regraft.cli.options import AsJson, Folder, Lang, Language
from regraft.cli.show import say, say_json, show


def metrics(
    folder: Folder,
    arm: Annotated[str | None, typer.Option(metavar="ARM", help="Numbers of one arm; default: of everybody.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every arm and segment as well.")] = False,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:
    """Print the newest numbers of a site: value, 95 % interval and the people behind it.

    They are written when a day is closed. A number with fewer than ten people behind it is hidden. What each of them means: docs/metrics.md.
    """
    from regraft.report.measure_page import headings, term_of
    from regraft.setup.site import Site
    from regraft.state.aggregates import newest
    from regraft.state.database import transaction

    site = Site.open(folder)
    with transaction(site.engine) as connection:
        found = newest(connection, arm=None if every else arm or "", segment=None if every else "")
    if as_json:
        say_json(found.to_dicts())
    elif len(found):
        for term, heading in headings(lang.value).items():
            own = [_line(row, lang.value) for row in found.rows(named=True) if term_of(row["measure"]) == term]
            if own:
                show(own, heading)
    else:
        say("No numbers yet: they are written when a day is closed, with regraft update.")


def _line(row: dict[str, Any], lang: Literal["en", "ja"]) -> dict[str, object]:
    """A row of the table; a word where there is no number."""
    from regraft.report.measure_page import title

    early = "too early" if row["value"] is None else ""
    note = "fewer than 10 people" if row.pop("hidden") else early if row["n"] else "nobody"
    measure = row.pop("measure")
    return {"measure": measure, "": title(measure, lang), **row, "note": note}
