"""`regraft cache`: what is kept of the frozen layers, and how to have less of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from regraft.cli.options import AsJson
from regraft.cli.show import say, say_json, show, size

app = typer.Typer(help="Look at kept states of frozen layers, or remove them.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the runs, or one cache in it (trunk-...).")]


@app.command("show")
def show_caches(folder: Folder, as_json: AsJson = False) -> None:
    """Say what is kept in a folder.

    One line per cache: what it was made for, how much it holds and when it was last added to.
    """
    from regraft.lm.trunk.trunk_store import held, within

    rows = []
    for cache in within(folder):
        found = held(cache)
        made_for = found.made_for
        rows.append(
            {
                "cache": cache.name, "base": str(made_for.get("base"))[:8], "template": str(made_for.get("template"))[:8],
                "regime": made_for.get("regime"), "from layer": made_for.get("layer"), "dtype": made_for.get("dtype"),
                "tokens": found.tokens, "size": found.bytes if as_json else size(found.bytes),
                "last added to": found.newest and datetime.fromtimestamp(found.newest, UTC).isoformat(timespec="minutes"),
            }
        )  # fmt: skip
    if as_json:
        say_json(rows)
    elif rows:
        show(rows)
    else:
        say(f"{folder} holds no kept states.")


@app.command()
def prune(
    folder: Folder,
    days: Annotated[float | None, typer.Option(min=0, help="Remove files that were written longer ago.")] = None,
    gib: Annotated[float | None, typer.Option(min=0, help="Remove the oldest files until no more than this is left.")] = None,
    user: Annotated[list[str] | None, typer.Option(help="Remove what was read of this person, and nothing else.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all of it.")] = False,
) -> None:  # fmt: skip
    """Remove kept states: all, the oldest, or one person's.

    Nothing is lost but time: what is missing is worked out anew when it is needed.
    """
    from regraft.errors import ConfigError
    from regraft.lm.trunk.trunk import owner_of
    from regraft.lm.trunk.trunk_store import forget, prune, within

    if days is None and gib is None and not user and not everything:
        raise ConfigError("regraft cache prune", "nothing was said of what to remove", "--days, --gib, --user or --all")
    caches = within(folder)
    for name in user or ():
        parts = sum(forget(cache, owner_of(name)) for cache in caches)
        say(f"{name}: {parts:,} parts removed")
    if days is not None or gib is not None or everything:
        removed = prune(caches, days, 0.0 if everything else gib)
        say(f"{len(removed):,} files removed, {size(sum(removed.values()))}")
