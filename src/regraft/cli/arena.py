"""`regraft arena`: compare strategies and baselines on one stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regraft.cli.executor import Executor, On, Threads, Workers, as_given, cells_of, check
from regraft.cli.options import Force, Lang, Language, MaybeConfigFile, columns, pairs
from regraft.cli.show import command, duration, say, say_json, show, size
from regraft.errors import ConfigError

if TYPE_CHECKING:
    from regraft.arena.predicted import Plan


app = typer.Typer(help="Compare strategies and baselines on one stream.", no_args_is_help=True)


@app.command()
def run(
    site: Annotated[
        Path | None, typer.Argument(metavar="SITE", help="Compare on the data of a site, instead of a YAML file.")
    ] = None,
    config: MaybeConfigFile = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the run; default: runs/NAME, or SITE/reports/arena."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin no cell after this time, e.g. 30m or 2h.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and stop.")] = False,
    executor: On = Executor.local,
    workers: Workers = None,
    threads: Threads = 1,
    lang: Lang = Language.en,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: print JSON instead of tables.")] = False,
) -> None:
    """Run a comparison and say what pays: of a YAML file, or on the data of a site.

    Every contender is renewed when a period closes and tested on the next one. Cheap rungs of the ladder run first, and the report is written after each rung: Ctrl-C keeps what is there. A run that was stopped goes on with the same command. At the end it prints the verdict and the path of the report.
    """
    from regraft.arena.open_arena import open_arena
    from regraft.arena.rung_reports import reported
    from regraft.cli.live import follow, rung_done
    from regraft.data.regimes import duration as milliseconds

    if as_json and not dry_run:
        raise ConfigError("--json", "is given without --dry-run", "both, or none of them")
    check(executor, workers)
    if (site is None) == (config is None):
        raise ConfigError("regraft arena run", "needs a SITE or --config FILE", "one of them")
    seconds = milliseconds(budget) / 1000 if budget else None
    described: list[object] = [site] if site else ["-c", config]
    arena, opening = open_arena(site or config, out)  # type: ignore[arg-type]
    if dry_run:
        from regraft.arena.plan import plan_run

        show_plan(plan_run(arena, opening), arena.folder, as_json)
        return
    arena.tell = lambda words: say(words, error=True)
    say(arena.stream.describe(), error=True)
    cells = cells_of(arena, seconds, executor, workers, threads)
    whole = follow(arena, reported(arena, cells, lang.value, lambda done: rung_done(arena, done)))
    conclude(arena.folder, lang.value)
    if not whole:
        again = command("arena", "run", *described, "--out", arena.folder, *as_given(executor, workers, threads))
        say(f"The budget of {budget} is spent. Go on with: {again}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run, finished or not.")],
    lang: Lang = Language.en,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: report.html in the folder.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the leaderboard as CSV as well.")] = None,
    force: Force = False,
) -> None:
    """Write the report of a run again.

    It is written from whatever is finished, and the verdict is printed.
    """
    conclude(folder, lang.value, out, csv, force)
    if csv:
        say(f"Leaderboard: {csv}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration.

    It names every setting, its default and what it means.
    """
    from regraft.setup.config import ArenaConfig

    say_json(ArenaConfig.model_json_schema())


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Your log: a file, a directory, or an official zip.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Configuration to be written.")] = Path("arena.yaml"),
    reader: Annotated[str | None, typer.Option(help="Reader to use; by default the content decides.")] = None,
    mapping: Annotated[
        list[str],
        typer.Option(metavar="KEY=COLUMN", help="Name a column of a table, e.g. user_id=customer; repeatable."),
    ] = [],  # noqa: B006
    limit: Annotated[
        list[str],
        typer.Option(metavar="REASON=SHARE", help="Accept more bad rows than 1 %, e.g. bad-time=0.05; repeatable."),
    ] = [],  # noqa: B006
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    minutes: Annotated[float, typer.Option(min=1, help="Choose a share of the users that takes about so long.")] = 15.0,
) -> None:
    """Write a configuration for your own log.

    Every setting in it says why; how long a run would take here, and how much disk, is printed.
    """
    from regraft.arena.starter import start

    def tell(step: str) -> None:
        say(f"{step} ...", error=True)

    made = start(path, out, reader, columns(mapping), pairs(limit, "--limit"), minutes * 60, force, tell)
    for line in made.said:
        say(line)
    if made.plan:
        show_plan(made.plan, made.folder, False)
    say(f"\nRun it with: {command('arena', 'run', '-c', out)}")


def conclude(
    folder: Path, lang: str, out: Path | None = None, csv: Path | None = None, force: bool = False
) -> None:  # fmt: skip
    """Prints the verdict and writes the report."""
    from regraft.arena.run_report import report_run

    finished = report_run(folder, lang, out, csv, force)
    for note in finished.notes:
        say(note, error=True)
    say("\n" + "\n".join(finished.verdict))
    say(f"\nReport: {finished.report}")


def show_plan(plan: Plan, folder: Path, as_json: bool) -> None:
    """Prints what a run would take."""
    from regraft.arena.predicted import as_dict, free_disk

    if as_json:
        say_json(as_dict(plan, folder))
        return
    show(
        [
            {
                "contender": line.contender,
                "cells": line.cells,
                "fits": line.fits,
                "tokens trained": line.trained,
                "tokens scored": line.scored,
                "time": duration(line.seconds),
                "disk": size(line.disk),
            }
            for line in plan.lines
        ],
        "What the run would take",
    )
    for note in plan.notes:
        say(note)
    if plan.speed:
        say(f"tokens per event: {plan.tokens_per_event:.1f} with its part of the head, {plan.counted}")
        say(f"this machine: {plan.speed.train:,.0f} tokens a second in training, {plan.speed.score:,.0f} in scoring")
        if plan.speed.trunk:
            say(
                f"frozen layers: {plan.speed.trunk:,.0f} tokens a second, each token once; "
                f"{size(plan.speed.state_bytes)} kept per token"
            )
    if plan.build:
        say(f"base model: {plan.build_tokens:,} tokens, {duration(plan.build)}; it is built once")
    if plan.first_answer is not None and plan.classical_answer is not None:
        first, classical = duration(plan.first_answer), duration(plan.classical_answer)
        say(f"first answer after about {first}, of all classical rungs after {classical}")
    say(f"in all: {plan.cells} cells, about {duration(plan.seconds)}; work that contenders share is counted once")
    say(f"memory: about {size(plan.peak_memory)} at the peak (fit.batch_tokens sets most of it)")
    say(f"disk: {size(plan.disk)} of {size(free_disk(folder))} free in {folder}")
