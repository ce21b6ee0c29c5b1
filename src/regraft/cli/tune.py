"""`regraft tune`: how much history, how often, how much replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regraft.cli.executor import Executor, On, Threads, Workers, as_given, cells_of, check
from regraft.cli.options import AsJson, Lang, Language, MaybeConfigFile
from regraft.cli.show import command, say, say_json
from regraft.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regraft.arena.tune import Tuning
    from regraft.arena.tune_files import Tuned


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
    executor: On = Executor.local,
    workers: Workers = None,
    threads: Threads = 1,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Find how much history to keep, how often to update and how much to replay.

    Settings are compared on the same rows, chosen on earlier periods and checked on later ones; it says so where the stream cannot tell them apart. Writes tune.html, tune.csv, tune.json and advice.yaml. A run that was stopped goes on with the same command.
    """
    from regraft.arena.tune_run import conclude
    from regraft.data.regimes import duration as milliseconds

    if (site is None) == (config is None):
        raise ConfigError("regraft tune", "needs a SITE or --config FILE", "one of them")
    check(executor, workers)
    seconds = milliseconds(budget) / 1000 if budget else None
    grid = {"share": share, "every": every, "days": days, "margin": margin}
    tuning = _opened(site or config, out, use, grid, price)  # type: ignore[arg-type]
    cells = cells_of(tuning, seconds, executor, workers, threads)
    if as_json:  # nothing else on standard output
        for _ in cells:
            pass
    else:
        from regraft.cli.live import follow

        follow(tuning, cells)
    found, page = conclude(tuning, lang.value)
    _say_found(found, page, lang.value, as_json)
    if found.waiting:
        again: list[object] = ["tune", site] if site else ["tune", "-c", config]
        again += [word for name in use for word in ("--use", name)]
        given = grid | {"price": price}
        again += [word for name, value in given.items() if value is not None for word in (f"--{name}", value)]
        again += ["--out", tuning.folder, *as_given(executor, workers, threads)]
        say(f"The budget of {budget} is spent. Go on with: {command(*again)}", error=True)


def _opened(
    path: Path, out: Path | None, use: Sequence[str], grid: dict[str, Any], price: float | None
) -> Tuning:  # fmt: skip
    """The tuning, with what it compares said on standard error; `grid` are options as they were given."""
    from regraft.arena.tune_run import open_tuning

    given = {k: _listed(v) if isinstance(v, str) else v for k, v in grid.items() if v is not None}
    tuning = open_tuning(path, out, use, given, price)
    tuning.tell = lambda words: say(words, error=True)
    tuning.tell(tuning.stream.describe())
    tuning.tell(
        f"{len(tuning.settings)} settings in {len(tuning.cells())} cells; work that settings share is done once"
    )
    return tuning


def _say_found(found: Tuned, page: Path | None, lang: str, as_json: bool) -> None:
    from regraft.arena.tune_files import described
    from regraft.report.tune_words import sentences

    if as_json:
        say_json(described(found))
        return
    say("\n" + "\n".join(sentences(described(found), lang)))
    say(f"\nReport: {page}" if page else "No setting has all of its cells yet.")


def _listed(given: str) -> list[Any]:
    """A,B,C as numbers; a word stays a word."""
    import yaml

    return [yaml.safe_load(part) for part in given.split(",")]
