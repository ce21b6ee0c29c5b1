"""`regraft prompt fields, suggest, save, versions, diff, test, approve, live`: a template of a site, from draft to use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regraft.cli.options import AsJson, Folder, Force, Language
from regraft.cli.show import command, say, say_json, show, tell
from regraft.errors import ConfigError

if TYPE_CHECKING:
    from regraft.metrics.intervals import Interval
    from regraft.setup.site import Site
    from regraft.studio.shelf import Listed, Step

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As `regraft prompt versions` lists it.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it; it is written into the ledger.")]
SiteOrLog = Annotated[Path, typer.Argument(metavar="SITE|LOG", help="Folder of a site, or a log that is none yet.")]


def fields(place: SiteOrLog, as_json: AsJson = False) -> None:
    """List what a template may print: the columns of the items and the facts."""
    from dataclasses import asdict

    from regraft.prompts.chips import chips
    from regraft.studio.material import material

    found = chips(material(place)[0])
    if as_json:
        say_json([asdict(one) for one in found])
        return
    show(
        [
            {"write": one.write, "filled": f"{one.filled:.0%}", "meaning": one.meaning, "for example": one.example}
            for one in found
        ]
    )


def suggest(
    place: SiteOrLog,
    lang: Annotated[Language | None, typer.Option(help="Default: that of the titles.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to this file, e.g. my-shop.jinja.")] = None,
    force: Force = False,
) -> None:  # fmt: skip
    """Propose a first template from the item columns that are there."""
    from regraft.files import write_text
    from regraft.output_paths import output
    from regraft.prompts.suggest import suggest as propose
    from regraft.prompts.template import SUFFIX
    from regraft.studio.material import material

    text = propose(*material(place), lang.value if lang else None)
    if out is None:
        say(text.rstrip("\n"))
        return
    if out.suffix != SUFFIX:
        raise ConfigError(f"file '{out}'", f"ends with '{out.suffix}'", f"a name ending in {SUFFIX}")
    write_text(output(out, [place], force, mark=""), text)
    say(f"{out} is written. Look at it with: {command('prompt', 'preview', '-c', place, '--template', out)}")


def save(
    folder: Folder,
    template: Annotated[str, typer.Argument(metavar="FILE", help="A .jinja file, or the name of a template.")],
    by: By,
    name: Annotated[str, typer.Option(help="Name to save it under; default: that of the file.")] = "",
) -> None:
    """Save a template as a draft of a site.

    What is saved never changes: an edited file is a new draft, the same text twice is one. It is rendered in a process of its own first.
    """
    from regraft.studio import shelf

    saved = shelf.save(_open(folder), template, by, name)
    say(f"Template {saved.id} is {saved.state}: {folder / saved.file}, hash {saved.hash}")
    say(f"Try it: {command('prompt', 'test', folder, saved.id)}")


def versions(folder: Folder, as_json: AsJson = False) -> None:
    """List the templates of a site with their states, authors and ledger entries."""
    from regraft.studio import shelf

    site = _open(folder)
    rows = [_line(one) for one in shelf.shelf(site)]
    if as_json:
        say_json(rows)
        return
    if rows:
        show(rows)
    if not any(row["state"] == "live" for row in rows):
        say(f"In use: {site.options.template}, as regraft.yaml says.")


def diff(
    folder: Folder,
    one: Annotated[str, typer.Argument(metavar="TEMPLATE", help="By number, file or name.")],
    other: Annotated[str | None, typer.Argument(metavar="OTHER", help="Default: compare with the one in use.")] = None,
) -> None:
    """Show what a template changes."""
    from regraft.studio import shelf

    lines = shelf.diff(_open(folder), one, other)
    say("\n".join(lines) if lines else "The two texts are the same.")


def try_out(
    folder: Folder,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="A draft, by number, file or name.")],
    against: Annotated[str | None, typer.Option(metavar="TEMPLATE", help="Default: the one in use.")] = None,
    examples: Annotated[int, typer.Option(min=20, help="How many both foresee.")] = 200,
    use: Annotated[str | None, typer.Option(metavar="CONTENDER", help="Of regraft.yaml; default: a closed-form head, which takes no training.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Try a template beside the one in use, on the same rows.

    For both, a contender learns from the days before and foresees examples of the newest days. The difference comes with its interval.
    """
    from regraft.studio.trial import trial

    found = trial(_open(folder), template, against, examples, use, tell)
    if as_json:
        say_json(found.as_dict())
        return
    show(
        [
            {
                "template": one.template, "AUC": _interval(one.auc), "log-loss": _interval(one.log_loss),
                "tokens per event": f"{one.tokens:.1f}", "CPU seconds to learn": f"{one.seconds:.1f}",
            }
            for one in (found.draft, found.against)
        ],
        f"{found.contender}, examples of {found.days[0]} to {found.days[1]}",
    )  # fmt: skip
    say(found.sentence)


def approve(folder: Folder, number: Number, by: By) -> None:
    """Let a draft go live later; one with an error in it is refused."""
    from regraft.studio import shelf

    done = shelf.approve(_open(folder), number, by)
    _tell_warnings(done)
    own = " Its author approved it: nobody else has looked." if done.saved.author == by else ""
    say(f"Template {number} is approved by {by}.{own}")
    say(f"Put it in use: {command('prompt', 'live', folder, number, '--by', by)}")


def live(folder: Folder, number: Number, by: By) -> None:
    """Put an approved template in use.

    Contenders of regraft.yaml that name no template of their own begin anew with it at the next update; versions that are there keep theirs.
    """
    from regraft.studio import shelf

    site = _open(folder)
    done = shelf.put_live(site, number, by)
    reading = [one.label for one in _open(folder).options.contenders if one.template == done.saved.file]
    say(f"Template {number} is live: {folder / done.saved.file}, hash {done.saved.hash}")
    if reading:
        say(f"{', '.join(reading)} will learn from it at the next update: {command('update', folder)}")
    else:
        say("No contender of regraft.yaml reads it: they are classical, or name templates of their own.")


COMMANDS: dict[str, Callable[..., None]] = {
    "fields": fields, "suggest": suggest, "save": save, "versions": versions, "diff": diff, "test": try_out,
    "approve": approve, "live": live,
}  # fmt: skip


def _line(one: Listed) -> dict[str, object]:
    from regraft.release.runs import date_of
    from regraft.state.templates import WAS_APPROVED, WENT_LIVE

    return {
        "number": one.saved.id, "name": one.saved.name, "state": one.saved.state, "author": one.saved.author,
        "saved": date_of(one.saved.at), "approved by": one.by(WAS_APPROVED), "put live by": one.by(WENT_LIVE),
        "ledger": ", ".join(str(entry.id) for entry in one.entries), "hash": one.saved.hash,
    }  # fmt: skip


def _tell_warnings(done: Step) -> None:
    for finding in done.linted.findings:
        if finding.level == "warning":
            say(f"warning: {finding.where}: {finding.what}\n  {finding.advice}")


def _interval(seen: Interval) -> str:
    estimate, low, high = seen.estimate, seen.low, seen.high
    return f"{estimate:.4f}" + (f" [{low:.4f}, {high:.4f}]" if low == low else "")


def _open(folder: Path) -> Site:
    from regraft.setup.site import Site

    return Site.open(folder)
