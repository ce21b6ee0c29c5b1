"""`regraft demo`: the main job on a world whose causes are known, with nothing to download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regraft.cli.options import Lang, Language
from regraft.cli.show import duration, say


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for base model, results and report.")] = Path("demo"),
    lang: Lang = Language.en,
) -> None:
    """Compare update strategies on a simulated log.

    A small base model is built on the spot: nothing is downloaded, and it takes a few minutes. A demo that was stopped goes on with the same command.
    """
    from time import monotonic

    from regraft.arena.demo import open_demo
    from regraft.arena.rung_reports import reported
    from regraft.cli.arena import conclude
    from regraft.cli.live import follow, rung_done

    began = monotonic()
    arena = open_demo(out, lang.value)
    say(f"{arena.stream.describe()}\n")
    follow(arena, reported(arena, arena.run(), lang.value, lambda done: rung_done(arena, done)))
    conclude(arena.folder, lang.value, out / "report.html")
    say(f"The demo took {duration(monotonic() - began)}. Your own log: regraft arena init PATH")
