"""`regraft forget, objects, export-person, retention`: what a site holds on people, and how it lets go of it."""

from __future__ import annotations

from typing import Annotated

import typer

from regraft.cli.options import AsJson, Folder, Wait, seconds_of
from regraft.cli.show import say, say_json, show, tell
from regraft.counted import counted

retention = typer.Typer(help="Let go of what a site may keep no longer.", no_args_is_help=True)


@retention.callback()
def _group() -> None:
    """Let go of what a site may keep no longer."""


@retention.command("apply")
def apply_retention(
    folder: Folder,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is due, and change nothing.")] = False,
    as_of: Annotated[str | None, typer.Option(metavar="DAY", help="Day at whose begin ages are taken, e.g. 2025-01-06; default: now.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let go of what is older than regraft.yaml allows.

    Every store has a maximum age by event time, a purpose and an action in the section `retention`. Every `regraft update` does the same for the day that it closes.
    """
    from dataclasses import asdict

    from regraft.release.recovery import working
    from regraft.release.retention import apply, demand_rows_left, due
    from regraft.release.runs import day_ms, now
    from regraft.setup.site import Site

    site, at = Site.open(folder), now() if as_of is None else day_ms(as_of)
    if dry_run:
        found = due(site, at)
    else:
        if as_of is None:
            demand_rows_left(site, at)
        with working(site, "retention") as held:
            found = apply(site, held, at, tell)
    policy = site.options.retention
    if as_json:
        say_json([{**asdict(one), **policy.of(one.store).model_dump()} for one in found])
        return
    rows = [
        {
            "store": one.store,
            "keep": policy.of(one.store).keep,
            "due": f"{one.count:,} {one.unit}",
            "oldest": one.oldest or "-",
            "action": policy.of(one.store).action,
        }
        for one in found
    ]
    show(rows)
    say("Nothing was changed." if dry_run else "What was due and may be deleted is gone.")


def forget(
    folder: Folder,
    users: Annotated[list[str], typer.Argument(metavar="USER...", help="Ids as your own log has them.")] = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")] = False,
    wait: Wait = "0s",
    as_json: AsJson = False,
) -> None:
    """Erase people from a site, models included, and write a signed proof.

    Data files are rewritten without them, versions that saw them are destroyed, and those in use are trained again without them. Without USER it goes on with erasures that were asked for over HTTP, or were killed; `regraft serve` and `regraft update` do the same.
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
            say(
                f"{counted(found.rows, 'rows')} in {counted(found.files, 'data files')}; seen by {counted(len(found.exposed), 'versions')}"
            )
            for name, aliases in found.remade.items():
                say(f"  {name} would be trained again ({', '.join(aliases) or 'the next update goes on from it'})")
            say(f"That takes about {found.seconds:,.0f} s.")
        return
    paths = erase(site, users, tell, seconds_of(wait))
    for path in paths:
        say(f"Erased; the proof is {path}")
    if not paths:
        say("Nobody waits to be erased.")


def objects(
    folder: Folder,
    user: Annotated[str, typer.Argument(metavar="USER", help="Id as your own log has it; known to the site or not.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the objection back.")] = False,
) -> None:
    """Never learn from a person who objects, and go on serving them.

    From the next close on none of their rows is an example, a neighbour or a fact of others; they are answered from their own history.
    """
    from regraft.privacy.objection import object_to, take_back
    from regraft.setup.site import Site

    site = Site.open(folder)
    if withdraw:
        say("The objection is taken back." if take_back(site, user) else "There was no objection: nothing was changed.")
        return
    said = object_to(site, user, tell)
    say("Nothing learns from this person from the next close on." if said else "The person objects already.")


def export_person(
    folder: Folder, user: Annotated[str, typer.Argument(metavar="USER", help="Id as your own log has it.")]
) -> None:
    """Print everything that a site holds on one person, as JSON.

    Rows, spooled events, served lists, rows set aside, objection, erasures, the versions that saw them, and other files in which they stand.
    """
    from regraft.privacy.held import held_on
    from regraft.setup.site import Site

    say_json(held_on(Site.open(folder), user))
