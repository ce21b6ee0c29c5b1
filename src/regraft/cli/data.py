"""`regraft data`: look at a log, or make one whose causes are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regraft.cli.options import AsJson, Force, columns, pairs
from regraft.cli.show import command, say, say_json, show

if TYPE_CHECKING:
    from regraft.data.inspect import Inspection

app = typer.Typer(help="Look at a log, or make one whose causes are known.", no_args_is_help=True)


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Log: a file, a directory, or an official zip.")],
    reader: Annotated[str | None, typer.Option(help="Reader to use; by default the content decides.")] = None,
    mapping: Annotated[
        list[str],
        typer.Option(metavar="KEY=COLUMN", help="Name a column of a table, e.g. user_id=customer; repeatable."),
    ] = [],  # noqa: B006
    label: Annotated[str | None, typer.Option(metavar="RULE", help='What counts as liked, e.g. "rating > 3".')] = None,
    periods: Annotated[int | None, typer.Option(min=2, max=10_000, metavar="N", help="Number of periods.")] = None,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Set bad rows aside, however many they are.")
    ] = False,
    quarantine_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the rows set aside (.parquet, .jsonl, else CSV).")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a picture (.svg, .png, .pdf).")] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say what is in a log and what to set for it.

    Label rule, periods and block lengths are proposed, each with its reason.
    """
    from regraft.data.inputs import log_files
    from regraft.data.inspect import inspect as look
    from regraft.data.inspect_plot import checked
    from regraft.data.inspect_plot import plot as draw
    from regraft.data.interactions import QUARANTINE_MARK
    from regraft.output_paths import output

    reads = log_files(path, reader, columns(mapping))
    if quarantine_file:
        output(quarantine_file, reads, force, QUARANTINE_MARK)
    if plot:
        output(checked(plot), [*reads, *([quarantine_file] if quarantine_file else [])], force)
    found = look(
        path,
        reader=reader,
        mapping=columns(mapping),
        label=label,
        n_periods=periods,
        quarantine=quarantine_file or quarantine,
    )
    if plot:
        draw(found, plot)
    if as_json:
        say_json(found.as_dict())
        return
    _show_inspection(found)
    if plot:
        say(f"Picture: {plot}")
    asked = [*(["--reader", reader] if reader else []), *(word for one in mapping for word in ("--mapping", one))]
    say(f"\nNext: {command('arena', 'init', path, *asked)}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder for interactions.parquet and items.parquet.")],
    users: Annotated[int, typer.Option(help="All who ever join.")] = 2000,
    items: Annotated[int, typer.Option(help="All that are ever released.")] = 500,
    periods: Annotated[int, typer.Option(help="Periods of one day.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed gives the same log.")] = 0,
    language: Annotated[str, typer.Option(help="Language of titles and genres: en or ja.")] = "en",
    setting: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, e.g. taste_change_at=6; repeatable."),
    ] = [],  # noqa: B006
    force: Force = False,
) -> None:
    """Write a log made from known causes.

    This drift world holds a change of taste, a burst of new items, seasons, and users who come and go.
    """
    from regraft.data.drift_world_files import write_drift_world

    given = {"users": users, "items": items, "periods": periods, "seed": seed, "language": language}
    log, rows = write_drift_world(out, given | pairs(setting, "--set"), force)
    say(f"{rows:,} interactions in {log}\nLook at them with: {command('data', 'inspect', log)}")


def _show_inspection(found: Inspection) -> None:
    rejected = found.rows_in - found.accepted
    say(f"{found.path}\n{found.recognised}\n")
    say(f"rows      {found.rows_in:,} = {found.accepted:,} accepted + {rejected:,} set aside")
    for one in found.set_aside:
        say(f"          {one.rows:,} {one.reason}: {one.meaning}, e.g.")
        for line, raw in one.first:
            say(f"            {one.file}:{line}: {raw}")
    for warning in found.warnings:
        say(f"          {warning}")
    say(f"users     {found.users:,}, half of them with {int(_middle(found)):,} events or more")
    say(f"items     {found.items:,}, {found.titled:,} of them with a title")
    say(f"events    {', '.join(f'{kind} {count:,}' for kind, count in found.events.items())}")
    if found.values:
        say(f"values    {', '.join(f'{value:g}: {count:,}' for value, count in found.values.items())}")
    say(f"span      {found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} UTC")
    say(f"liked     {found.liked:.1%} under the rule {found.label.value}")
    say(f"ties      {found.ties:.1%} of the rows have an earlier one of the same user at the same instant\n")
    show([_period(row) for row in found.table.iter_rows(named=True)], "Periods")
    cut, block = found.periods.value, found.block.value
    proposals = [
        ("label", found.label.value, found.label.reason),
        ("periods", f"by {cut.by}, n {cut.n}, warm_up {cut.warm_up:g}", found.periods.reason),
        ("timeline", f"context (W) {block.context}, targets (H) {block.targets}", found.block.reason),
    ]
    say("Proposals\n")
    for name, value, reason in proposals:
        say(f"{name:<9} {value}\n          {reason}")


def _middle(found: Inspection) -> float:
    ordered = sorted(found.per_user.tolist())
    return float(ordered[(len(ordered) - 1) // 2])


def _period(row: dict[str, object]) -> dict[str, object]:
    def share(name: str) -> str:
        value = row[name]
        return "" if value is None else f"{value:.1%}"

    return {
        "period": row["period"] or "warm-up",
        "begins": f"{row['start']:%Y-%m-%d %H:%M}",
        "rows": row["rows"],
        "active users": row["users"],
        "events per user": f"{row['events_per_user']:.1f}" if row["users"] else "",
        "new users": share("new_users"),
        "new items": share("new_items"),
        "liked": share("liked"),
    }
