"""`regraft init, ingest, update, versions, rollback, why`: one recommender in service, day after day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regraft.cli.net import say_error
from regraft.cli.options import AsJson, Folder, Wait, columns, pairs, seconds_of
from regraft.cli.show import command, facts, say, say_json, show, tell
from regraft.counted import counted

if TYPE_CHECKING:
    from regraft.release.runs import Outcome
    from regraft.setup.site import Site

DATA_PROBLEM, NOTHING_CHANGED = 20, 1


def init(
    folder: Annotated[Path, typer.Argument(metavar="SITE", help="Folder to make; it holds one recommender.")],
    log: Annotated[Path, typer.Option("--from", metavar="LOG", help="Your log: a file, a directory, or a zip.")],
    reader: Annotated[str | None, typer.Option(help="Reader to use; by default the content decides.")] = None,
    mapping: Annotated[
        list[str], typer.Option(metavar="KEY=COLUMN", help="Name a column of a table; repeatable.")
    ] = [],  # noqa: B006
    limit: Annotated[
        list[str], typer.Option(metavar="REASON=SHARE", help="Accept more bad rows than 1 %; repeatable.")
    ] = [],  # noqa: B006
) -> None:
    """Make a site from a log.

    Its rows are stored, the older past is closed as one period and the last seven days after it, and a first version is made. A killed call is finished by the same command.
    """
    from regraft.release.init import init as make

    made, outcome = make(folder, log, reader, columns(mapping), pairs(limit, "--limit"), tell)
    say(f"\n{outcome.champion} is the champion of {made.folder}. Its settings: {made.folder / 'regraft.yaml'}\n")
    say(f"Next day's rows: {command('ingest', folder, 'FILE')}")
    say(f"Close the next day: {command('update', folder)}")


def ingest(
    folder: Folder, files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Logs with new rows.")]
) -> None:
    """Take rows into a site.

    Rows in are accepted, set aside or already there; the same file twice changes nothing.
    """
    from regraft.release.ingest import ingest as take
    from regraft.release.recovery import working

    site = _open(folder)
    with working(site, "ingest") as held:
        for file in files:
            c = take(site, file, held)
            say(
                f"{file}: {counted(c.rows_in, 'rows')} = {c.accepted:,} accepted + {c.set_aside:,} set aside + {c.already_there:,} already there"
            )


def compact(
    folder: Folder,
    keep: Annotated[int | None, typer.Option(min=0, metavar="DAYS", help="Newest closed days that are left as they are; default: those that the gate compares a day with.")] = None,
) -> None:  # fmt: skip
    """Rewrite many small day files into one per day.

    The rows stay what they are; those of compacted batches can no longer be rolled back batch by batch.
    """
    from regraft.release.compact import KEEP
    from regraft.release.compact import compact as merge
    from regraft.release.recovery import working

    site = _open(folder)
    with working(site, "compact") as held:
        done = merge(site, held, KEEP if keep is None else keep, tell)
    if done.before:
        say(f"{done.before:,} files are {done.after:,} now, with the same {done.rows:,} rows.")
    else:
        say("Nothing to do: no day old enough has more than one file.")


def update(
    folder: Folder,
    date: Annotated[str | None, typer.Option(metavar="DAY", help="Day to close, e.g. 2025-01-06; default: the next.")] = None,
    catch_up: Annotated[bool, typer.Option("--catch-up", help="Close all days up to --date, one by one.")] = False,
    accept: Annotated[int | None, typer.Option(metavar="RUN", help="Let a held run pass.")] = None,
    skip: Annotated[int | None, typer.Option(metavar="RUN", help="Close a held day without learning from it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and what the gate says of the day.")] = False,
    wait: Wait = "0s",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Close the next day: judge, renew, gate, publish. Erasures that wait are done first.

    Exit codes: 0 promoted (or skipped), 10 the old version stays, 20 a problem with the data, 30 held for a person.
    """
    from regraft.errors import ConfigError, DataError
    from regraft.privacy.forget import forget_waiting
    from regraft.release import held
    from regraft.release import update as updates
    from regraft.state import lease

    site = _open(folder)
    if sum(one is not None for one in (accept, skip)) + dry_run + catch_up > 1:
        raise ConfigError("regraft update", "was given two of --accept, --skip, --dry-run, --catch-up", "one of them")
    if not dry_run:
        lease.wait(site.engine, site.lease_name, seconds_of(wait), tell)
        for path in forget_waiting(site, tell):
            tell(f"Erased; the proof is {path}")
    try:
        if dry_run:
            _show(updates.look(site, date), as_json, dry_run)
            return
        if skip is not None:
            outcomes = [held.skip(site, skip)]
        elif catch_up:
            outcomes = updates.catch_up(site, date, tell)
        else:
            outcomes = [updates.update(site, date, tell, accept)]
    except DataError as error:
        say_error(error)
        raise typer.Exit(DATA_PROBLEM) from error
    for outcome in outcomes:
        _show(outcome, as_json)
    raise typer.Exit(outcomes[-1].code if outcomes else 0)


def schema() -> None:
    """Print the JSON Schema of a site's regraft.yaml.

    It names every setting, its default and what it means; `regraft init` lays it beside the file, where editors find it. That of a run is printed by `regraft arena schema`.
    """
    from regraft.setup.site_options import SiteOptions

    say_json(SiteOptions.model_json_schema())


def versions(folder: Folder, as_json: AsJson = False) -> None:
    """List versions and what the aliases point to."""
    from regraft.state import versions as known
    from regraft.state.database import transaction

    site = _open(folder)
    with transaction(site.engine) as connection:
        found = known.listed(connection)
        aliases = [a for name in known.ALIASES if (a := known.alias(connection, name))]
    rows = [
        {
            "version": v.name, "contender": v.contender, "state": v.state,
            "alias": ", ".join(a.name for a in aliases if a.version == v.name),
            "saw nothing from": datetime.fromtimestamp(v.cut / 1000, UTC).date().isoformat(),
        }
        for v in found
    ]  # fmt: skip
    if as_json:
        say_json(rows)
    else:
        show(rows)


def rollback(
    folder: Folder,
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="Default: the champion before this one.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Take the rows that came since then out of use as well.")] = False,
) -> None:  # fmt: skip
    """Go back to an earlier version.

    Running servers follow within a second. A rollback that changes nothing says so and exits 1.
    """
    from regraft.release.rollback import rollback as back
    from regraft.state import versions as known
    from regraft.state.database import transaction

    site = _open(folder)
    with transaction(site.engine) as connection:
        now = known.alias(connection, "champion")
    if now and version == now.version and not batch:
        say(f"The champion is {version} already: nothing was changed.")
        raise typer.Exit(NOTHING_CHANGED)
    moved = back(site, version, batch)
    say(f"The champion is {moved.version} (move {moved.epoch}); before it was {now.version if now else 'none'}.")


def promote(
    folder: Folder,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As `regraft versions` lists it.")],
    alias: Annotated[str, typer.Option(help="champion, or holdout: a frozen version that updates never move.")] = "champion",
    accept: Annotated[str, typer.Option(metavar="REASON", help="Do without the gate; the reason goes into the ledger.")] = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Put a version in service, such as a challenger's.

    The gate compares it with the champion first. From then on updates renew its contender for the champion's place, as long as regraft.yaml names it. Exit codes: 0 promoted, 10 the old version stays.
    """
    from regraft.release.promote import promote as put

    outcome = put(_open(folder), version, alias, accept)
    if as_json or alias == "champion":
        _show(outcome, as_json)
    else:
        say(f"The alias {alias} points to {version}.")
    raise typer.Exit(outcome.code)


def why(
    folder: Folder,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As `regraft versions` lists it.")],
    as_json: AsJson = False,
) -> None:
    """Say what a version was made from and what the gate said of it."""
    from regraft.release.why import why as ask

    found = ask(_open(folder), version)
    if as_json:
        say_json(found)
        return
    for line in facts(found):
        say(line)


def _open(folder: Path) -> Site:
    from regraft.setup.site import Site

    return Site.open(folder)


def _show(outcome: Outcome, as_json: bool, dry_run: bool = False) -> None:
    if as_json:
        from dataclasses import asdict

        say_json({name: value for name, value in asdict(outcome).items() if name != "ctr" or value})
        return
    from regraft.release.gate import because

    for finding in outcome.findings:
        say(f"  {finding.outcome:<5} {finding.check:<14} {finding.reason}")
    for name, seen in outcome.judged.items():
        say(f"  {name} before this day: AUC {seen['auc']:.4f} on its {seen['rows']:,.0f} rows")
    if ctr := outcome.ctr:
        ends = f" ({ctr['low']:.4f} to {ctr['high']:.4f})" if "low" in ctr else ""
        say(f"  lists of this day: CTR {ctr['value']:.4f}{ends} of {ctr['n']:,.0f} people")
    if dry_run:
        reasons = because(outcome.findings, "hold")
        told = f"would be held for a person, because of {reasons}" if reasons else "would be learnt from"
        say(f"{outcome.date} {told}; nothing was changed")
        return
    said = {
        "promoted": f"promoted, the champion is {outcome.champion}",
        "kept": f"kept, the champion stays {outcome.champion}, because of {because(outcome.findings, 'keep')}",
        "held": f"held for a person, because of {because(outcome.findings, 'hold')}; nothing has learnt from it",
        "skipped": "skipped: nothing has learnt from it",
    }
    say(f"{f'Run {outcome.run}, ' if outcome.run else ''}{outcome.date}: {said[outcome.state]}")
