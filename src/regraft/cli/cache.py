"""`regraft cache`: what runs have kept - states, scores, fits - and how to have less of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from regraft.cli.options import AsJson
from regraft.cli.show import command, say, say_json, show, size

app = typer.Typer(help="Look at kept states, scores and fits, or remove them.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the runs, a site, or one folder in it (trunk-..., kept).")]  # fmt: skip


@app.command("show")
def show_caches(folder: Folder, as_json: AsJson = False) -> None:
    """Say what is kept in a folder.

    One line per folder and kind: how much it holds, when it was last added to, and what states of the frozen layers were made for. Scores and states are counted in rows.
    """
    from regraft.lm.kept_files import held, within

    rows, folder = [], _place(folder)
    for found in (one for place in within(folder) for one in held(place)):
        made_for = found.made_for
        rows.append(
            {
                "cache": str(found.folder.relative_to(folder)) if found.folder != folder else folder.name,
                "kind": found.kind, "count": found.count, "size": found.bytes if as_json else size(found.bytes),
                "last added to": found.newest and datetime.fromtimestamp(found.newest, UTC).isoformat(timespec="minutes"),
                "base": str(made_for.get("base", ""))[:8], "template": str(made_for.get("template", ""))[:8],
                "regime": made_for.get("regime", ""), "from layer": made_for.get("layer", ""), "dtype": made_for.get("dtype", ""),
            }
        )  # fmt: skip
    if as_json:
        say_json(rows)
    elif rows:
        show(rows)
    else:
        say(f"{folder} holds nothing that was kept.")


@app.command()
def prune(
    folder: Folder,
    days: Annotated[float | None, typer.Option(min=0, help="Remove what was written longer ago.")] = None,
    gib: Annotated[float | None, typer.Option(min=0, help="Remove the oldest until no more than this is left.")] = None,
    user: Annotated[list[str] | None, typer.Option(help="Remove what was read of this person, and all fits: nobody can be taken out of one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all of it.")] = False,
) -> None:  # fmt: skip
    """Remove what is kept: all, the oldest, or one person's.

    Nothing is lost but time: what is missing is worked out anew when it is needed. No run may be at work in the folder.
    """
    from regraft.errors import ConfigError
    from regraft.lm.kept_files import forget_owner, prune, within
    from regraft.lm.owner import owner_of

    if days is None and gib is None and not user and not everything:
        raise ConfigError("regraft cache prune", "nothing was said of what to remove", "--days, --gib, --user or --all")
    if user and _is_site(folder):
        raise ConfigError(
            "--user", "a site knows people by other ids", "the folder of runs on your own log",
            f"Erase somebody from the site with: {command('forget', folder, 'USER')}",
        )  # fmt: skip
    places = within(_place(folder))
    for name in user or ():
        gone = [forget_owner(place, owner_of(name)) for place in places]
        parts, fits = (sum(one) for one in zip(*gone, strict=True)) if gone else (0, 0)
        say(f"{name}: {parts:,} parts removed" + (f", and {fits:,} fits" if fits else ""))
    if days is not None or gib is not None or everything:
        removed = prune(places, days, 0.0 if everything else gib)
        say(f"{len(removed):,} files removed, {size(sum(removed.values()))}")


def _is_site(folder: Path) -> bool:
    from regraft.setup.config import SITE_FILE

    return (folder / SITE_FILE).is_file()


def _place(folder: Path) -> Path:
    """Where a site keeps what it keeps; any other folder as it is."""
    return folder / "cache" if _is_site(folder) else folder
