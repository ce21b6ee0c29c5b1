"""The command `regraft`: puts the groups together and turns errors into messages and exit codes.

Exit codes: 0 done, 1 done but something is wrong with what was looked at, 2 could not be done (the message
says what to do next), 70 a fault of regraft, 130 stopped with Ctrl-C. Nothing heavy is imported before a command
needs it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated, TextIO

import typer

from regraft import __version__
from regraft.cli import (
    anchor,
    arena,
    base,
    cache,
    cost,
    dashboard,
    data,
    demo,
    doctor,
    metrics,
    pilot,
    plugins_,
    privacy,
    prompt,
    serve,
    site,
    studio,
    tune,
)
from regraft.cli.net import COULD_NOT, caught, say_error
from regraft.cli.show import say

STOPPED = 130

app = typer.Typer(
    name="regraft",
    help="Keep LLM recommenders fresh: LoRA adapters renewed period after period, compared honestly.",
    epilog="Begin with: regraft demo    Your own log: regraft arena init PATH",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.add_typer(data.app, name="data")
app.add_typer(base.app, name="base")
app.add_typer(cache.app, name="cache")
for name, step in studio.COMMANDS.items():
    prompt.app.command(name)(step)
app.add_typer(prompt.app, name="prompt")
app.add_typer(arena.app, name="arena")
for operate in (
    site.init, site.ingest, site.update, site.compact, site.versions, site.promote, site.rollback, site.why,
):  # fmt: skip
    app.command(operate.__name__)(operate)
app.add_typer(pilot.app, name="pilot")
app.command("anchor")(anchor.anchor)
app.command("metrics")(metrics.metrics)
app.command("cost")(cost.cost)
app.command("schema")(site.schema)
app.command("serve")(serve.serve)
app.add_typer(dashboard.app, name="dashboard")
app.command("recommend")(serve.recommend)
app.command("forget")(privacy.forget)
app.command("objects")(privacy.objects)
app.command("export-person")(privacy.export_person)
app.add_typer(privacy.retention, name="retention")
app.add_typer(serve.keys, name="keys")
app.command("tune")(tune.tune)
app.command("export")(prompt.export)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("plugins")(plugins_.plugins)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"regraft {__version__}")
        raise typer.Exit


@app.callback()
def regraft(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[  # read where an error arrives: `regraft.cli.net`
        bool, typer.Option("--debug", help="Show the traceback of an error; as REGRAFT_DEBUG=1 does.")
    ] = False,
) -> None:
    """Keep LLM recommenders fresh: LoRA adapters renewed period after period, compared honestly."""


def main() -> None:
    """Runs the command line; never returns."""
    for switch in ("HF_HUB_DISABLE_PROGRESS_BARS", "TQDM_DISABLE"):  # bars of libraries between our own lines
        os.environ.setdefault(switch, "1")
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_a_character(stream)
    sys.exit(_printed(_run()))


def _printed(code: int) -> int:
    """The exit code, once all that was printed has left: it may go to a disk that is full."""
    try:
        if not sys.stdout.closed:
            sys.stdout.flush()
    except BrokenPipeError:
        return code
    except OSError as error:
        say(f"standard output: cannot be written: {error.strerror}", error=True)
        with suppress(OSError):
            sys.stdout.close()
        return code or COULD_NOT
    return code


def _run() -> int:
    try:
        app()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        with suppress(OSError):
            sys.stdout.close()
        return 0
    except KeyboardInterrupt:
        return _stopped()
    except SystemExit as stop:
        if stop.code == STOPPED:
            return _stopped()
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException as error:  # panics of libraries written in Rust are no Exception
        known, code = caught(error, sys.argv[1:])
        say_error(known)
        return code
    return 0


def _stopped() -> int:
    say("\nStopped. Finished steps are kept: the same command goes on from there.", error=True)
    return STOPPED


def _never_fail_on_a_character(stream: TextIO) -> None:
    """A console that lacks a character shows a question mark instead of ending the program."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
