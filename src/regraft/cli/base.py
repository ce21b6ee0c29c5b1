"""`regraft base`: build a small base model from a log's own warm-up, or look at any base model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from regraft.cli.options import AsJson, ConfigFile
from regraft.cli.progress import steps
from regraft.cli.show import command, duration, say, say_json, show, size, text

app = typer.Typer(help="Build a small base model, or look at any.", no_args_is_help=True)


class Objective(StrEnum):
    """What a base learns."""

    labels = "labels"
    text = "text"


@app.command()
def build(
    config: ConfigFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to be made; a build that was stopped goes on.")],
    objective: Annotated[
        Objective | None,
        typer.Option(help="labels: the verdicts themselves; text: titles and sequences, never a verdict."),
    ] = None,
) -> None:
    """Build a small base model from a log.

    `nano` learns from the warm-up rows of the configuration's log; nothing is downloaded.
    """
    from regraft.arena.build import build_base
    from regraft.arena.config import ArenaConfig

    with steps("building the base model") as progress:
        cost = build_base(ArenaConfig.read(config), out, objective.value if objective else None, progress)
    if cost is None:
        say(f"{out} is there already, built from these rows with these settings.")
    else:
        say(f"{out} was built in {duration(cost.wall_seconds)}: {cost.tokens_backward:,} tokens trained on.")
    say(f"Look at it with: {command('base', 'show', out)}\nUse it with base.path: {out} in the configuration.")


@app.command("show")
def show_base(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Base model: a directory or hub id.")],
    template: Annotated[str, typer.Option(help="Template whose answers are looked up.")] = "judge-timeline-facts",
    as_json: AsJson = False,
) -> None:
    """Say what a base model is.

    Its size, dtype and memory per token, and the tokens in which it answers.
    """
    from regraft.lm.describe import describe
    from regraft.prompts.template import Template

    found = describe(folder, Template.load(template))
    if as_json:
        say_json(found)
        return
    sizes = {"KV cache per token"}
    show([{"": name, folder: size(v) if name in sizes else text(v)} for name, v in found.items()])
