"""`regraft prompt`: see what a model reads, and what is wrong with it, before anything is trained."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regraft.cli.options import AsJson, ExportFormat, Force, MaybeBase
from regraft.cli.show import command, console, plain, say, say_json, show
from regraft.errors import ConfigError

if TYPE_CHECKING:
    from regraft.lm.token_view import TokenView
    from regraft.prompts.preview import Preview
    from regraft.setup.lint import Linted
    from regraft.studio.reading import Cost

Place = Annotated[
    Path, typer.Option("--config", "-c", metavar="PLACE", help="YAML file of a run, or the folder of a site.")
]
app = typer.Typer(help="See what a model reads, and what is wrong with it.", no_args_is_help=True)
STYLES = {"item": "bold", "fact": "cyan", "answer": "green", "template": ""}


@app.command("list")
def list_templates(as_json: AsJson = False) -> None:
    """List the templates that come with regraft."""
    from regraft.cli.catalogue import entries

    found = [{"name": entry.name, "summary": entry.summary} for entry in entries("templates")]
    if as_json:
        say_json(found)
    else:
        show(found)


@app.command()
def copy(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name of a template; see `regraft prompt list`.")],
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Copy to be written, e.g. my-shop.jinja.")],
    force: Force = False,
) -> None:
    """Copy a template to edit it.

    A configuration uses the copy with `template: FILE`; the path is as seen from the configuration.
    """
    from regraft.files import write_text
    from regraft.output_paths import output
    from regraft.prompts.template import SUFFIX, Template

    source, own = Template.load(template).source, Path(template)
    if out.suffix != SUFFIX:
        raise ConfigError(f"file '{out}'", f"ends with '{out.suffix}'", f"a name ending in {SUFFIX}")
    write_text(output(out, [own] if own.is_file() else [], force, mark=""), source)
    say(f"{out} is a copy of {template}. When it is edited, check it with: {command('prompt', 'lint', out)}")


@app.command()
def preview(
    config: Place,
    template: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Another template than the one in use; of a site, also by number."),
    ] = None,
    example: Annotated[int | None, typer.Option(metavar="N", help="Example number, from 0 in time order.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="The newest example of this user.")] = None,
    base: MaybeBase = None,
) -> None:
    """Print the prompt of a real user.

    It is shown as the model reads it; with a base model, token by token and with what it costs. Users of a site are pseudonyms.
    """
    from regraft.setup.prompting import Desk
    from regraft.studio.reading import people, reading

    if user is not None and example is not None:
        raise ConfigError("prompt preview", "--example and --user are both given", "one of them")
    desk = Desk.at(config, template)
    of_site = config.is_dir()
    desk = replace(desk, base=base or desk.base)
    read = reading(desk, user, example if example is not None or of_site or user else 0)
    shown = f"{len(read.preview.history)} events of history"
    say(f"example {read.example:,} of {len(desk.stream):,}: user {read.user}, {shown}\n")
    _show_text(read.preview)
    say(f"\n\nThe answer that followed: {read.preview.answer!r}")
    if read.tokens and read.cost:
        _show_tokens(read.tokens)
        _show_cost(read.cost)
    if of_site and user is None:
        say("\nOther people: " + ", ".join(people(desk, 3)) + "; see one with: --user ID")


@app.command()
def lengths(
    config: Place,
    template: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Another template than the one in use; of a site, also by number."),
    ] = None,
    base: MaybeBase = None,
    as_json: AsJson = False,
) -> None:
    """Count the tokens of a template's prompts, and the histories that are cut.

    Up to 2,000 examples are looked at, spread over the log. A history is truncated where it is longer than `timeline` lets a prompt be: its oldest events are left out.
    """
    from regraft.setup.prompting import Desk
    from regraft.studio.prompt_lengths import prompt_lengths

    desk = Desk.at(config, template)
    found = prompt_lengths(replace(desk, base=base or desk.base))
    if found is None:
        raise ConfigError(
            "prompt lengths", "has no base model to count tokens with", "a base model", "Add: --base FOLDER"
        )
    if as_json:
        say_json(asdict(found))
        return
    most = max(bar.prompts for bar in found.bars)
    show(
        [
            {
                "tokens": f"{bar.low:,} - {bar.high:,}", "prompts": f"{bar.prompts:,}", "people": f"{bar.people:,}",
                "": "█" * math.ceil(30 * bar.prompts / most),
            }
            for bar in found.bars
        ],
        f"Prompts of {found.template}",
    )  # fmt: skip
    say(
        f"{found.prompts:,} prompts of {found.people:,} people: half take {found.median:,} tokens or fewer, 95 % {found.most:,} or fewer, the longest {found.longest:,}."
    )
    shape = desk.config.timeline
    say(
        f"Truncated histories: {found.truncated:.0%}; timeline is {shape.context} events of context and {shape.targets} per block."
    )


@app.command()
def lint(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name of a template, or a .jinja file.")],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="PLACE", help="Read the items and examples of this run or site as well."
        ),
    ] = None,
    base: MaybeBase = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a template.

    Exits 1 where something would spoil training. With --config, the items and examples of a log are read as well; with --base also, lengths are counted in tokens.
    """
    from regraft.setup.lint import lint_template

    tell_findings(lint_template(template, config, base), as_json)


def tell_findings(found: Linted, as_json: bool = False) -> None:
    """Prints what was found; exits 1 where there is an error."""
    if as_json:
        say_json({"findings": [asdict(f) for f in found.findings], "lengths": [asdict(one) for one in found.lengths]})
    else:
        for finding in found.findings:
            say(f"{finding.level}: {finding.where}: {finding.what}\n  {finding.advice}")
        if found.lengths:
            show([asdict(one) for one in found.lengths], "Tokens")
        counted = {level: sum(f.level == level for f in found.findings) for level in ("error", "warning", "note")}
        say(", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counted.items()))
    if any(finding.level == "error" for finding in found.findings):
        raise typer.Exit(1)


def export(
    config: Place,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to be written, JSON Lines.")],
    format: Annotated[
        ExportFormat, typer.Option("--format", help="trl: TRL; alpaca, sharegpt: LLaMA-Factory.")
    ] = ExportFormat.trl,
    period: Annotated[int | None, typer.Option(metavar="N", help="Examples of this period only.")] = None,
    force: Force = False,
) -> None:
    """Write examples for other training tools."""
    from regraft.setup.prompting import Desk

    count = Desk.at(config).export(out, format.value, period, [config], force)
    say(f"{count:,} examples in {out}")


def _show_cost(cost: Cost) -> None:
    from regraft.studio.reading import CANDIDATES

    money = "" if cost.money is None else f" 1,000 lists cost about {cost.money:.2g} {cost.currency}."
    say(
        f"\nThis history takes {cost.history:,} tokens, a further candidate {cost.candidate:,}. A list of {CANDIDATES} candidates reads "
        f"{cost.per_list:,}, about {cost.seconds_per_list:.2g} seconds here at the pace of this prompt; a history that is warm is not read again.{money}"
    )


def _show_text(read: Preview) -> None:
    from rich.text import Text

    line = Text()
    for part in read.pieces:
        line.append(plain(part.text), style=STYLES[part.source])
    screen = console()
    screen.print(line, end="", soft_wrap=True)
    screen.print(Text("◀ read here", style="reverse"), end="", soft_wrap=True)


def _show_tokens(tokens: TokenView) -> None:
    shown = "".join(f"{token}│" for token in tokens.tokens)
    probability = 1 / (1 + math.exp(-tokens.log_odds))
    say(f"\n{len(tokens.tokens)} tokens:\n{shown}◀ read here")
    say(
        f"\nThe base model compares {tokens.yes!r} with {tokens.no!r}: log-odds {tokens.log_odds:+.3f}, "
        f"a like with probability {probability:.1%}"
    )
