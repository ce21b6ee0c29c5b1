"""`regraft tune`: how much history, how often, how much replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from regraft.cli.arena import Executor
from regraft.cli.options import AsJson, Lang, Language, MaybeConfigFile
from regraft.cli.show import command, say, say_json
from regraft.errors import ConfigError


def tune(
    site: Annotated[
        Path | None, typer.Argument(metavar="SITE", help="Tune the contenders of a site, instead of a YAML file.")
    ] = None,
    config: MaybeConfigFile = None,
    use: Annotated[
        list[str], typer.Option(metavar="NAME", help="Contender, strategy or baseline to tune; repeatable. Default: all that are configured.")
    ] = [],  # noqa: B006
    share: Annotated[str | None, typer.Option(metavar="A,B", help="Old examples per new one, where a strategy replays.")] = None,
    every: Annotated[str | None, typer.Option(metavar="A,B", help="Periods from update to update.")] = None,
    days: Annotated[str | None, typer.Option(metavar="A,B", help="Days of history that are kept; all is always tried.")] = None,
    margin: Annotated[float | None, typer.Option(help="AUC that may be lost where less is kept or renewed.")] = None,
    price: Annotated[float | None, typer.Option(help="Price of an hour of the machine that updates; default: prices.update_hour of the configuration.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the run; default: runs/NAME-tune, or SITE/reports/tune.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin no cell after this time, e.g. 30m or 2h.")
    ] = None,
    executor: Annotated[
        Executor, typer.Option(help="Where cells are worked out; ray: a cluster, extra `ray`.")
    ] = Executor.local,
    workers: Annotated[int | None, typer.Option(min=1, help="With ray: processes.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="With ray: threads of each process.")] = 1,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Find how much history to keep, how often to update and how much to replay.

    Settings are compared on the same rows, chosen on earlier periods and checked on later ones; it says so where the stream cannot tell them apart. Writes tune.html, tune.csv, tune.json and advice.yaml. A run that was stopped goes on with the same command.
    """
    from regraft.arena.tune_files import described
    from regraft.arena.tune_run import conclude, open_tuning
    from regraft.cli.live import follow
    from regraft.data.regimes import duration as milliseconds
    from regraft.report.tune_words import sentences

    if (site is None) == (config is None):
        raise ConfigError("regraft tune", "needs a SITE or --config FILE", "one of them")
    if workers and executor is Executor.local:
        raise ConfigError("--workers", "is given without --executor ray", "both, or none of them")
    seconds = milliseconds(budget) / 1000 if budget else None
    own: dict[str, Any] = {
        "share": _listed(share), "every": _listed(every), "days": _listed(days), "margin": margin,
    }  # fmt: skip
    given = {k: v for k, v in own.items() if v is not None}
    tuning = open_tuning(site or config, out, use, given, price)  # type: ignore[arg-type]
    tuning.tell = lambda words: say(words, error=True)
    say(tuning.stream.describe(), error=True)
    say(
        f"{len(tuning.settings)} settings in {len(tuning.cells())} cells; work that settings share is done once",
        error=True,
    )
    if executor is Executor.ray:
        from regraft.arena.ray_executor import run_on_ray

        cells = run_on_ray(tuning, seconds, workers, threads, tell=tuning.tell)
    else:
        cells = tuning.run(seconds)
    if as_json:  # nothing else on standard output
        for _ in cells:
            pass
    else:
        follow(tuning, cells)
    found, page = conclude(tuning, lang.value)
    if as_json:
        say_json(described(found))
    else:
        say("\n" + "\n".join(sentences(described(found), lang.value)))
        say(f"\nReport: {page}" if page else "No setting has all of its cells yet.")
    if found.waiting:
        named = {"--share": share, "--every": every, "--days": days, "--margin": margin, "--price": price}
        again: list[object] = ["tune", site] if site else ["tune", "-c", config]
        again += [word for name in use for word in ("--use", name)]
        again += [word for option, value in named.items() if value is not None for word in (option, value)]
        say(f"The budget of {budget} is spent. Go on with: {command(*again, '--out', tuning.folder)}", error=True)


def _listed(given: str | None) -> list[Any] | None:
    """A,B,C as numbers; a word stays a word."""
    import yaml

    return None if given is None else [yaml.safe_load(part) for part in given.split(",")]
