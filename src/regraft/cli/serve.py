"""`regraft serve`, `recommend` and `keys`: a site over HTTP or into a file, and who may ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regraft.cli.options import AsJson, Folder, Force
from regraft.cli.show import command, say, say_json, show, tell

keys = typer.Typer(help="Make, list and revoke keys of a site's API.", no_args_is_help=True)


def serve(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen on; by default this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    replay: Annotated[bool, typer.Option("--replay", help="Replay the past: requests say in the header Regraft-Time (ms since 1970) what time it is.")] = False,
    erase: Annotated[bool, typer.Option("--erase/--no-erase", help="Begin erasures that were asked for, in a process beside the server.")] = True,
) -> None:  # fmt: skip
    """Serve recommendations of a site over HTTP.

    The champion is served; a newer one, or a rollback, is followed within a second. Every request needs a key: see `regraft keys make`. What happens is told as JSON lines on standard error, in which no person's id stands.
    """
    from regraft.serving import server
    from regraft.setup.site import Site

    server.serve(Site.open(folder), host, port, say, replay, erase)


def recommend(
    folder: Folder,
    users: Annotated[Path, typer.Option(metavar="FILE", help="People: an id per line, or a column user_id (.csv, .tsv, .parquet).")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the lists go: .parquet, .csv or .jsonl.")],
    n: Annotated[int, typer.Option("--n", min=1, max=500, help="Items per person.")] = 10,
    force: Force = False,
) -> None:  # fmt: skip
    """Write lists for many people into a file.

    While a pilot runs everybody is in the arm that the server puts them in; each row says arm and version. A killed call is finished by the same command, and the file is the one that an unbroken call gives. Such lists are not spooled: nobody knows here whether they are seen.
    """
    from regraft.output_paths import output
    from regraft.serving.batch import parts_of, recommend_all, suffix_of
    from regraft.serving.service import wall_clock
    from regraft.setup.site import Site

    suffix_of(out)
    output(out, (users, folder), force or parts_of(out).is_dir(), mark="")
    site = Site.open(folder)
    done = recommend_all(site, users, out, n, wall_clock(), tell)
    say(f"Lists of {done.people - done.left_out:,} people by {done.versions}: {out}")
    if done.resumed:
        say(f"The lists of {done.resumed:,} of them were there already.")
    if done.left_out:
        say(f"{done.left_out:,} were left out: they are being erased.")


@keys.command("make")
def make_key(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    scope: Annotated[list[str], typer.Option(help="recommend, events, read, operate or privacy; repeatable.")] = ["recommend"],  # noqa: B006
    per_minute: Annotated[int, typer.Option(min=1, help="Requests that it may make.")] = 6000,
) -> None:  # fmt: skip
    """Make a key and print it; it is told this once."""
    from regraft.setup.site import Site
    from regraft.state import keys as known
    from regraft.state.database import transaction

    with transaction(Site.open(folder).engine) as connection:
        say(known.make(connection, name, tuple(scope), per_minute))


@keys.command("list")
def list_keys(folder: Folder, as_json: AsJson = False) -> None:
    """List keys by name and scope; the keys themselves are kept nowhere."""
    from regraft.setup.site import Site
    from regraft.state import keys as known
    from regraft.state.database import transaction

    with transaction(Site.open(folder).engine) as connection:
        rows = [
            {"name": k.name, "scopes": ", ".join(k.scopes), "per minute": k.per_minute}
            for k in known.listed(connection)
        ]
    if as_json:
        say_json(rows)
    elif rows:
        show(rows)
    else:
        say(f"There is no key yet. Make one with: {command('keys', 'make', folder, 'NAME')}")


@keys.command("revoke")
def revoke_key(folder: Folder, name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")]) -> None:
    """Revoke a key: it is refused within seconds."""
    from regraft.setup.site import Site
    from regraft.state import keys as known
    from regraft.state.database import transaction

    with transaction(Site.open(folder).engine) as connection:
        known.revoke(connection, name)
    say(f"The key '{name}' is revoked.")
