"""`regraft plugins`: what can be chosen by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from regraft.cli.options import AsJson
from regraft.cli.show import say_json, show


def plugins(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="readers, strategies, baselines, similarities, checks, candidates, templates or facts; all by default.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what can be chosen by name.

    Readers, strategies, baselines, similarities of items, checks of the gate, sources of candidates, templates and facts, each with what it is.
    """
    from regraft.cli.catalogue import entries

    found = [asdict(entry) for entry in entries(kind)]
    if as_json:
        say_json(found)
        return
    problems = any(entry["problem"] for entry in found)
    show([entry if problems else {k: v for k, v in entry.items() if k != "problem"} for entry in found])
