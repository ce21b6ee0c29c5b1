"""`regraft cost`: what a site costs, and how often to update it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from regraft.cli.options import AsJson, Folder, Lang, Language
from regraft.cli.show import command, say, say_json, show, size


def cost(
    folder: Folder,
    curve: Annotated[Path | None, typer.Option(metavar="FILE", help="Measured AUC and seconds by update frequency; default: what `regraft tune` found on the site's own past.")] = None,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say what updates, lists and storage cost, and which update frequency pays.

    Prices stand in regraft.yaml under `prices`. The curve is that of `regraft tune SITE`, or a JSON list with every (days), auc and seconds (per day) of each frequency.
    """
    from dataclasses import asdict

    from regraft.release.cost import CURVE, assumptions, curve_of, spent
    from regraft.report import pays
    from regraft.report.pays_words import in_words, what_tips
    from regraft.setup.site import Site

    site = Site.open(folder)
    found = spent(site)
    given, path = assumptions(site, found), curve or site.reports / CURVE
    measured = curve_of(path) if curve or path.is_file() else None
    if as_json:
        balance = None if measured is None else pays.balance(measured, given).to_dicts()
        told = {name: None if value != value else value for name, value in asdict(found).items()}
        say_json({**told, "month": found.month, "assumptions": asdict(given), "balance": balance})
        return
    show([{"": name, "seconds": seconds, found.currency: price} for name, seconds, price in _lines(found)])
    say(f"In 30 days: {found.month:.4g} {found.currency}; stored: {size(found.storage_bytes) if found.days else '-'}")
    if measured is None:
        say(f"\nWhich update frequency pays is told from a measured curve: {command('tune', folder)}")
        return
    say()
    if not given.click:
        say("Nothing is earned while a click is worth 0: set `click` under `prices` in regraft.yaml.")
    for pair in pays.pairs(measured, given):
        say(in_words(pair, given, lang.value))
    for swing in pays.sensitivity(measured, given):
        say(f"- {what_tips(swing, pays.best(measured, given), given, lang.value)}")


def _lines(found: Any) -> list[tuple[str, float, float]]:
    return [
        ("an update", found.update_seconds, found.update_cost),
        ("1,000 lists", found.seconds_per_1000, found.cost_per_1000),
        ("storage, 30 days", float("nan"), found.storage_cost),
    ]
