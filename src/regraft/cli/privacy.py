"""`regraft forget`: a person out of a site, models included."""

from __future__ import annotations

from typing import Annotated

import typer

from regraft.cli.options import AsJson, Folder
from regraft.cli.show import say, say_json, tell


def forget(
    folder: Folder,
    users: Annotated[list[str], typer.Argument(metavar="USER...", help="Ids as your own log has them.")] = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase people from a site, models included, and write a signed proof.

    Data files are rewritten without them, versions that saw them are destroyed, and those in use are trained again without them. Without USER it goes on with erasures that were asked for over HTTP, or were killed.
    """
    from dataclasses import asdict

    from regraft.privacy.forget import foresee
    from regraft.privacy.forget import forget as erase
    from regraft.setup.site import Site

    site = Site.open(folder)
    if dry_run:
        for user in users:
            found = foresee(site, user)
            if as_json:
                say_json(asdict(found))
                continue
            say(f"{found.rows:,} rows in {found.files} data files; {len(found.exposed)} versions saw them")
            for name, aliases in found.remade.items():
                say(f"  {name} would be trained again ({', '.join(aliases) or 'the next update goes on from it'})")
            say(f"That takes about {found.seconds:,.0f} s.")
        return
    paths = erase(site, users, tell)
    for path in paths:
        say(f"Erased; the proof is {path}")
    if not paths:
        say("Nobody waits to be erased.")
