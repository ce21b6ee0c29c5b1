"""`regraft pilot`: prove a challenger on a limited group of people, then decide by numbers that may be peeked at."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regraft.cli.options import AsJson, Folder, Lang, Language
from regraft.cli.show import command, say, say_json, show
from regraft.counted import counted

if TYPE_CHECKING:
    from regraft.pilot.evidence import Evidence
    from regraft.setup.site import Site

app = typer.Typer(help="Prove a challenger on a limited group of people, then decide.", no_args_is_help=True)

STAYS = 10  # the exit code of an old version that stays
Name = Annotated[str | None, typer.Argument(metavar="PILOT", help="Its name; by default the newest.")]
Share = Annotated[float, typer.Option(min=0.01, max=1, help="Of the people; half of them are served the challenger.")]


class Decision(StrEnum):
    """What a person can decide."""

    roll_out = "roll-out"
    stop = "stop"


@app.command("plan")
def plan_pilot(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="PILOT", help="A new name.")],
    treatment: Annotated[str | None, typer.Option(help="Contender to prove; default: the first challenger.")] = None,
    primary: Annotated[str | None, typer.Option(help="Metric that decides: clicks, ctr, active_days or returned.")] = None,
    lift: Annotated[float | None, typer.Option(min=0.001, max=10, help="Smallest lift worth rolling out: 0.05 is 5 %.")] = None,
    share: Share = 1.0,
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Plan a pilot from your own past: how many people, how many whole weeks, which lift can be seen.

    Metrics, margins of guardrails and segments come from the section `pilot` of regraft.yaml and are fixed from then on.
    """
    from regraft.pilot.conduct import plan
    from regraft.pilot.terms import PilotOptions

    site = _open(folder)
    options = PilotOptions.of(site, primary=primary, minimum_lift=lift)
    pilot, design = plan(site, name, treatment, share, options)
    if as_json:
        say_json({"pilot": pilot.name, "terms": pilot.plan, "reached": design.reached})
        return
    curve = pilot.plan["curve"]
    show(
        [_size(row) for before, row in zip([None, *curve], curve, strict=False) if not before or row["n"] > before["n"]]
    )
    say(design.sentence(lang.value))
    say(f"Start it with a few people: {command('pilot', 'start', folder, name)}")


@app.command("start")
def start_pilot(folder: Folder, pilot: Name = None, share: Share = 0.05) -> None:
    """Start serving two arms; running servers follow within a second.

    The arm of a person is a hash: it stays the same on every server, and when the pilot grows.
    """
    from regraft.pilot.conduct import start

    begun = start(_open(folder), pilot, share)
    say(f"{begun.name}: {_parts(begun.share)}. See how it goes: {command('pilot', 'status', folder)}")


@app.command("ramp")
def ramp_pilot(
    folder: Folder,
    share: Annotated[float, typer.Argument(min=0.01, max=1, help="0.05, 0.25, 0.5, 1: of the people.")],
    pilot: Name = None,
) -> None:
    """Enrol more people; nobody changes arm."""
    from regraft.pilot.conduct import ramp

    now = ramp(_open(folder), pilot, share)
    say(f"{now.name}: {_parts(now.share)}.")


@app.command("status")
def status(folder: Folder, pilot: Name = None, lang: Lang = Language.en, as_json: AsJson = False) -> None:
    """Show what a pilot says so far: the verdict in words, effects with intervals, and whether it is healthy.

    The intervals hold however often you look. They begin at 200 people per arm whose window has ended.
    """
    from regraft.pilot.evidence import evidence_of, snapshot

    found = evidence_of(_open(folder), pilot)
    if as_json:
        say_json(snapshot(found))
        return
    _show(found, lang)


@app.command("extend")
def extend_pilot(
    folder: Folder,
    weeks: Annotated[int, typer.Argument(min=1, max=52, help="More weeks in which people enter.")],
    pilot: Name = None,
) -> None:
    """Let people enter for more weeks than planned."""
    from regraft.pilot.conduct import extend

    now = extend(_open(folder), pilot, weeks)
    say(f"{now.name} goes on for {now.plan['plan']['weeks'] + now.plan['more_weeks']} weeks in all.")


@app.command("stop")
def stop_pilot(
    folder: Folder, pilot: Name = None, reason: Annotated[str, typer.Option(help="Goes into the ledger.")] = ""
) -> None:
    """End a pilot without a decision: the champion serves everybody again."""
    from regraft.pilot.conduct import stop

    ended = stop(_open(folder), pilot, reason)
    say(f"{ended.name} is stopped: the champion serves everybody. It can still be decided on.")


@app.command("decide")
def decide_pilot(
    folder: Folder,
    pilot: Name = None,
    against: Annotated[Decision | None, typer.Option("--as", help="Decide this whatever the numbers say; needs --reason.")] = None,
    reason: Annotated[str, typer.Option(help="Goes into the ledger.")] = "",
    lang: Lang = Language.en,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Do what the numbers say: roll the challenger out, or end the pilot.

    Decision and evidence go into the ledger. Exit codes: 0 rolled out, 10 the champion stays, or nothing can be decided yet.
    """
    from regraft.pilot.conduct import decide
    from regraft.pilot.evidence import snapshot

    done = decide(_open(folder), pilot, against.value if against else None, reason)
    if as_json:
        say_json(
            {"decision": done.decision, "champion": done.champion, "was": done.was, "evidence": snapshot(done.evidence)}
        )
    else:
        _show(done.evidence, lang)
        said = {
            "roll-out": f"Rolled out: the champion is {done.champion}; before it was {done.was}.",
            "stop": f"Ended: the champion stays {done.champion}.",
            "extend": "Nothing was decided; the pilot goes on.",
        }
        say(said[done.decision])
    raise typer.Exit(0 if done.decision == "roll-out" else STAYS)


def _show(found: Evidence, lang: Language) -> None:
    from regraft.pilot.contamination import measured

    analysis, pilot = found.analysis, found.pilot
    say(" ".join(found.verdict.sentences(lang.value)))
    say("")
    if rows := [_row(e) for e in analysis.effects if e.n_control + e.n_treatment]:
        show(rows)
    entered = ", ".join(f"{n:,} in {arm}" for arm, n in found.entered.items())
    say(f"{pilot.name} is {pilot.state}, {_parts(pilot.share)}; left of its plan: {counted(found.days_left, 'days')}.")
    say(f"Entered: {entered}; windows of {len(found.people):,} have ended.")
    for arm, served in found.versions.items():
        say(f"Served to {arm}: {', '.join(served) or 'nothing yet'}")
    kept = {"own": "its own people", "control-only": "people of the control", "shared": "everybody"}[found.terms.slice]
    say(f"Each arm learns from {kept}: {found.contaminated:.0%} of the control's new rows are the treatment's.")
    say(measured(found.terms.slice, lang.value))
    if len(found.learnt) > 1:
        counts = ", ".join(f"{n:,} examples in {arm}" for arm, n in found.learnt.items())
        say(f"The newest versions learnt from {counts}.")
    for problem in _problems(found):
        say(problem)


def _problems(found: Evidence) -> list[str]:
    ratio, problems = found.sample_ratio, []
    if ratio.mismatch:
        problems.append(
            f"Unhealthy: the split {ratio.control:,} to {ratio.treatment:,} is no luck (p = {ratio.p:.2g})."
        )
    if found.in_both:
        problems.append(f"Unhealthy: {found.in_both:,} people were served in both arms; they are left out.")
    if not found.evenly:
        problems.append("Unhealthy: one arm learnt from more examples than the other.")
    if found.fallen_back:
        problems.append(f"{found.fallen_back:,} lists of the treatment were served by the control's version.")
    return problems


def _row(effect: Any) -> dict[str, object]:
    shown = effect.effect == effect.effect
    return {
        "metric": effect.metric, "role": effect.role, "group": effect.segment or "all",
        "people": f"{effect.n_control:,} + {effect.n_treatment:,}",
        "control": effect.control if shown else None, "treatment": effect.treatment if shown else None,
        "lift": f"{effect.relative:+.1%}" if shown else "too few",
        "interval": f"[{effect.relative_low:+.1%}, {effect.relative_high:+.1%}]" if effect.low == effect.low else "",
        "adjusted p": effect.adjusted if effect.role == "other" or effect.segment else None,
    }  # fmt: skip


def _size(row: dict[str, Any]) -> dict[str, object]:
    """One size of a pilot, and what can be told with it."""
    seen = {f"margin of {name}": _share(row[name]) for name in row if name not in ("weeks", "n", "lift")}
    return {"weeks": row["weeks"], "people per arm": row["n"], "lift that can be seen": _share(row["lift"]), **seen}


def _share(value: float | None) -> str:
    return "too few" if value is None else f"{value:.1%}"


def _parts(share: float) -> str:
    return f"{share:.0%} of the people are in it, half of them served by the challenger"


def _open(folder: Path) -> Site:
    from regraft.setup.site import Site

    return Site.open(folder)
