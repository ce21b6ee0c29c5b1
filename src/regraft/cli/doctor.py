"""`regraft doctor`: what is installed, what is missing, what this machine computes with; or whether a site is sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regraft.cli.options import AsJson
from regraft.cli.show import say, say_json, show, size

if TYPE_CHECKING:
    from regraft.doctor import Checkup


def doctor(
    site: Annotated[
        Path | None, typer.Argument(metavar="SITE", help="Look at this site instead: every file, version and entry.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is installed and what is missing, or whether a site is sound.

    Also what each missing extra would enable, and what this machine would compute with. Exits 1 where something should be mended; a missing extra is not such a thing.
    """
    if site is not None:
        _of_site(site, as_json)
        return
    from regraft.doctor import examine

    found = examine()
    if as_json:
        say_json(found.as_dict())
    else:
        _show(found)
    if found.problems:
        raise typer.Exit(1)


def _of_site(folder: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from regraft.release.checkup import checkup
    from regraft.setup.site import Site

    found = checkup(Site.open(folder))
    if as_json:
        say_json([asdict(one) for one in found])
    else:
        for one in found:
            say(f"{one.what:<10}{'PROBLEM: ' if one.problem else ''}{one.words}")
        say("\nMend what is above." if any(one.problem for one in found) else "\nAll is well.")
    if any(one.problem for one in found):
        raise typer.Exit(1)


def _show(found: Checkup) -> None:
    from regraft.doctor import ENABLES

    say(f"regraft {found.regraft} on Python {found.python}, {found.platform}\n")
    show(
        [
            {"package": p.name, "found": p.found or "-", "needed": p.needed, "for": p.extra or "everything"}
            for p in found.packages
        ]
    )
    for extra, names in found.missing_extras.items():
        say(f"Extra '{extra}' is not complete: {', '.join(names)} missing. It enables {ENABLES.get(extra, 'more')}.")
        say(f'  Install it with: pip install -c constraints.txt ".[{extra}]"')
    compute, machine = found.compute, found.machine
    if compute is None:
        say("device    none: PyTorch is not installed; data, prompts, reports and baselines work without it")
    else:
        say(f"device    {compute.device}, {compute.dtype} (base.device and base.dtype in the YAML change that)")
        say(f"          base.dtype: auto would take {compute.auto_dtype} here: {compute.reason}")
        for card in compute.accelerators:
            say(f"          {card} is there: use it with base.device: cuda")
    threads = ", ".join(f"{name} {count}" for name, count in machine.threads.items())
    say(f"cores     {machine.cores}, {machine.usable_cores:g} usable; threads: {threads or 'unknown'}")
    if machine.memory and machine.free_memory:
        say(f"memory    {size(machine.free_memory)} free of {size(machine.memory)}")
    say(f"disk      {size(machine.free_disk)} free here")
    say(f"SQLite    {machine.sqlite}")
    for problem in found.problems:
        say(f"\nProblem: {problem}")
    say("\nAll is well." if not found.problems else "\nMend what is above, then look again with: regraft doctor")
