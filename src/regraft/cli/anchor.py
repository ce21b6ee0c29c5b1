"""`regraft anchor`: days that a person approves, beside which the gate looks at every later day."""

from __future__ import annotations

from typing import Annotated

import typer

from regraft.cli.options import AsJson, Folder
from regraft.cli.show import command, say, say_json, show


def anchor(
    folder: Folder,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day to approve, e.g. 2025-01-06.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day to approve; four weeks say most.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Compare with approved days no longer.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Approve days, or show those that are approved.

    The gate compares label share, the top item's share and volume of every later day with them as well: the last 28 days follow whoever moves slowly enough, approved days do not. Their numbers are an entry of the ledger; approving others takes their place.
    """
    from regraft.errors import ConfigError
    from regraft.release import anchor as days
    from regraft.release.arrivals import approved
    from regraft.setup.site import Site
    from regraft.state.database import transaction

    site = Site.open(folder)
    if (first is None) != (last is None) or (withdraw and first):
        raise ConfigError("regraft anchor", "was not told which days", "--from DAY --to DAY, or --withdraw")
    if first and last:
        days.approve(site, first, last)
    elif withdraw:
        days.withdraw(site)
    with transaction(site.engine) as connection:
        found = approved(connection)
    if as_json:
        say_json([] if found is None else found.to_dicts())
    elif found is None:
        say(f"No days are approved. Approve some: {command('anchor', folder, '--from', 'DAY', '--to', 'DAY')}")
    else:
        show(found.select("day", "rows", "users", "liked", "top_item").to_dicts())
        say(f"The gate compares every day with these {len(found)} as well.")
