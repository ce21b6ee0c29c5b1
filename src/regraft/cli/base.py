"""`regraft base`: build a small base model from a log's own warm-up, import one, or look at any base model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from regraft.cli.options import AsJson, ConfigFile
from regraft.cli.progress import steps
from regraft.cli.show import command, duration, say, say_json, show, size, text

app = typer.Typer(help="Build a small base model, import one, or look at any.", no_args_is_help=True)


class Objective(StrEnum):
    """What a base learns."""

    labels = "labels"
    text = "text"


class Stored(StrEnum):
    """Types in which weights are written."""

    bf16 = "bf16"
    fp32 = "fp32"


class Used(StrEnum):
    """Types in which a run has its base."""

    fp32 = "fp32"
    bf16 = "bf16"
    auto = "auto"


@app.command()
def build(
    config: ConfigFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to be made; a build that was stopped goes on.")],
    objective: Annotated[
        Objective | None,
        typer.Option(help="labels: the labels themselves; text: titles and sequences, never a label."),
    ] = None,
) -> None:
    """Build a small base model from a log.

    `nano` learns from the warm-up rows of the configuration's log; nothing is downloaded.
    """
    from regraft.setup.build import build_base
    from regraft.setup.config import ArenaConfig

    with steps("building the base model") as progress:
        cost = build_base(ArenaConfig.read(config), out, objective.value if objective else None, progress)
    if cost is None:
        say(f"{out} is there already, built from these rows with these settings.")
    else:
        say(f"{out} was built in {duration(cost.wall_seconds)}: {cost.tokens_backward:,} tokens trained on.")
    say(f"Look at it with: {command('base', 'show', out)}\nUse it with base.path: {out} in the configuration.")


@app.command("import")
def import_base(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A language model as one GGUF file.")],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Hugging Face directory to be made.")],
    dtype: Annotated[Stored, typer.Option(help="How weights are written; fp32 takes twice the room.")] = Stored.bf16,
) -> None:
    """Make a base model of a GGUF file.

    Weights are unpacked and checked: the new directory must answer as the file does. It remembers how many bits the original had. Needs the extra `gguf`.
    """
    from regraft.lm.import_gguf import import_gguf

    began = monotonic()
    original = import_gguf(file, out, dtype.value)
    if original is None:
        say(f"{out} is there already, imported from this file.")
    else:
        say(f"{out} was imported in {duration(monotonic() - began)} from a {original}.")
    say(f"Look at it with: {command('base', 'show', out)}\nUse it with base.path: {out} in the configuration.")


@app.command("show")
def show_base(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Base model: a directory or hub id.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="Count the tokens of an event on the log of this run."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Whose answers are looked up; by default the configuration's."),
    ] = None,
    dtype: Annotated[
        Used | None,
        typer.Option(help="What sizes are for; by default the configuration's, else auto: a short probe decides."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a base model is.

    Its size, memory per token, the disk that states kept below the adapted layers would take, and the tokens in which it answers. With --config, tokens of an event and its answer are counted on a log.
    """
    from regraft.setup.describe import describe_base

    found = describe_base(folder, template, config, dtype.value if dtype else None)
    if as_json:
        say_json(found)
        return
    from regraft.lm.describe import BYTES

    show([{"": name, folder: size(v) if name in BYTES else text(v)} for name, v in found.items()])
