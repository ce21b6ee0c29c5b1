"""A first configuration for a log nobody has looked at yet, sized for the machine at hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
import yaml

from regraft.arena.compare import Arena
from regraft.arena.open_arena import RUNS
from regraft.arena.pace import Paces
from regraft.arena.plan import plan_run, throughput
from regraft.arena.predicted import Plan
from regraft.arena.proposal import Proposed, ladder
from regraft.data.ingest import Ingested, ingest
from regraft.data.inputs import log_files
from regraft.data.inspect import Inspection, inspect_log
from regraft.data.source import of_share, stream_of
from regraft.extras import missing
from regraft.files import write_text
from regraft.output_paths import output
from regraft.setup.config import ArenaConfig

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
LEAST_ROWS = 300  # examples per period below which a smaller share tells nothing
BUILD_SHARE = 1 / 6  # of the time: building the base model takes no more, or is given fewer epochs


@dataclass(frozen=True)
class Started:
    """What was written and found; `plan` is of the share that was chosen."""

    said: tuple[str, ...]
    plan: Plan
    folder: Path


def start(
    path: Path, out: Path, reader: str | None = None, mapping: Mapping[str, Any] | None = None,
    limits: Mapping[str, float] | None = None, seconds: float = 900.0, force: bool = False,
    tell: Callable[[str], None] = lambda step: None,
) -> Started:  # fmt: skip
    """Writes `out` for the log at `path`, with the largest share of the users that runs in about `seconds`.

    A base model that must be built first gets fewer epochs where they would take most of that time. `tell` is called
    with each long step in words, before it begins.
    """
    output(out, log_files(path, reader, mapping), force, mark="")  # a configuration is edited: none is thrown away
    began = perf_counter()
    log = ingest(path, reader=reader, mapping=mapping, limits=limits)
    reading = perf_counter() - began
    draft = Draft.of(out, log, path, reader, mapping, limits)
    found = draft.found
    draft.write(1.0)
    config = ArenaConfig.read(out)
    began = perf_counter()
    stream, folder = stream_of(config.data, log.interactions, log.items), RUNS / config.name
    tell(f"Computing facts as of {len(stream.time):,} rows")
    arena = Arena(config, folder, stream)
    opening = reading + perf_counter() - began
    tell("Measuring this machine")
    measured, paces = throughput(arena), Paces(arena)
    tell("Working out facts about item texts, and counting what a run would read")
    plan = plan_run(arena, opening, measured, paces=paces)
    if measured and measured.nano and (epochs := fewer_epochs(plan.build, measured.nano.epochs, seconds)):
        draft, less = replace(draft, epochs=epochs), epochs / measured.nano.epochs
        measured = replace(measured, nano=measured.nano.model_copy(update={"epochs": epochs}))
        plan = replace(plan, build=plan.build * less, build_tokens=round(plan.build_tokens * less))
    share = _share(plan, seconds, len(stream) / stream.n_periods)
    draft.write(share)
    if share < 1.0:
        # Reading costs the same: the machine is not measured again.
        part = Arena(ArenaConfig.read(out), folder, of_share(stream, share, config.data.seed))
        plan = plan_run(part, opening, measured, paces=paces)
    return Started(tuple(_told(found, out, share, seconds, plan)), plan, folder)


def fewer_epochs(build: float, epochs: int, seconds: float) -> int | None:
    """Epochs of a base model whose build would take more than its share of the time; None where it does not."""
    longest = BUILD_SHARE * seconds
    return max(1, int(epochs * longest / build)) if build > longest and epochs > 1 else None


def _share(plan: Plan, seconds: float, rows: float) -> float:
    """What is left of the time after what must be done anyway, as a share of what a whole run takes."""
    fixed = plan.opening + plan.content + plan.build
    wanted = (seconds - fixed) / max(1e-9, plan.seconds - fixed)
    fit = [share for share in SHARES if share <= wanted and share * rows >= LEAST_ROWS]
    enough = [share for share in SHARES if share * rows >= LEAST_ROWS] or [1.0]
    return fit[0] if fit else enough[-1]


def _template(items: pl.DataFrame) -> str:
    """Japanese titles get the Japanese prompt."""
    titles = items["title"].head(2000)
    kana = sum(any("\u3040" <= c <= "\u30ff" for c in title) for title in titles)
    return "judge-timeline-ja" if kana > 0.2 * len(titles) else "judge-timeline-facts"


def _told(found: Inspection, out: Path, share: float, seconds: float, plan: Plan) -> list[str]:
    cut = found.periods.value
    said = [
        f"{found.recognised}: {found.accepted:,} rows, {found.users:,} users, {found.items:,} items",
        f"label     {found.label.value}: {found.label.reason}",
        f"periods   {cut.n} by {cut.by} after a warm-up of {cut.warm_up:.0%}: {found.periods.reason}",
        f"timeline  W {found.block.value.context}, H {found.block.value.targets}: {found.block.reason}",
    ]
    if found.titled < found.items / 2:
        said.append(
            f"warning   {found.items - found.titled:,} of {found.items:,} items have no title: "
            "a language model has little to read"
        )
    if share < 1:
        said.append(
            f"share     examples of {share:.0%} of the users, so that a run takes about {seconds / 60:.0f} minutes"
        )
        if plan.seconds > 1.5 * seconds:
            said.append("warning   even so it takes longer: with fewer users a period would hold too few examples")
    if plan.first_answer is not None and plan.classical_answer is not None:
        said.append(
            f"answers   the first after about {_time(plan.first_answer)}, of all classical models after "
            f"{_time(plan.classical_answer)}; more as rungs run"
        )
    if not _has_lm():
        said.append("warning   PyTorch is not installed: strategies are commented out, baselines run")
    return [*said, f"\n{out} was written; every line in it says why.\n"]


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _has_lm() -> bool:
    return not missing("lm")


def _seen_from(out: Path, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    """The mapping with the path of its item file as seen from the configuration, as all paths in it are."""
    placed = dict(mapping or {})
    if placed.get("items"):
        placed["items"] = os.path.relpath(Path(placed["items"]).resolve(), out.parent.resolve())
    return placed


@dataclass(frozen=True)
class Draft:
    """What a configuration is written from."""

    out: Path
    found: Inspection
    template: str
    contenders: list[Proposed]
    reader: str | None
    limits: Mapping[str, float]
    epochs: int | None = None  # of the base model; None: as many as usual

    @classmethod
    def of(
        cls, out: Path, log: Ingested, path: Path, reader: str | None = None, mapping: Mapping[str, Any] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> Draft:  # fmt: skip
        """From the log that was read from `path`."""
        found = inspect_log(log, path, reader, mapping)
        return cls(out, found, _template(log.items), ladder(log.items), reader, limits or {})

    def write(self, share: float) -> None:
        """The file, with this share of the users."""
        write_text(self.out, _yaml(self, share))


def _contenders(proposed: list[Proposed]) -> list[str]:
    """One line each; those that need PyTorch are commented out where it is not there."""
    lines = []
    for one in proposed:
        comment = "# needs the extra lm: " if one.llm and not _has_lm() else ""
        lines += [f"  # {one.why}"] if one.why else []
        lines.append(f"  {comment}- {one.given if isinstance(one.given, str) else _flow(one.given)}")
    return lines


def _base(epochs: int | None) -> list[str]:
    if epochs is None:
        return ["base: {path: null, dtype: fp32, device: cpu}"]
    return [
        "# fewer epochs than its usual ones: on this machine they would take most of the time of a run",
        f"base: {{path: null, dtype: fp32, device: cpu, nano: {{epochs: {epochs}}}}}",
    ]


def _flow(given: Mapping[str, Any]) -> str:
    """A mapping on one line of YAML, with as few quotes as it can have."""
    return yaml.safe_dump(dict(given), default_flow_style=True, sort_keys=False, width=1000).strip()


def _yaml(draft: Draft, share: float) -> str:
    out, found, template, reader, limits = draft.out, draft.found, draft.template, draft.reader, draft.limits
    quoted = json.dumps
    where = os.path.relpath(found.path.resolve(), out.parent.resolve())
    cut, block = found.periods.value, found.block.value
    given = [f"  reader: {quoted(reader)}"] if reader else []
    mapping = _seen_from(out, found.mapping)
    given += [f"  mapping: {quoted(mapping, default=str, ensure_ascii=False)}"] if mapping else []
    given += ["  # shares of bad rows that were accepted", f"  limits: {quoted(dict(limits))}"] if limits else []
    return "\n".join(
        [
            "# A run of the arena. All settings and what they mean: regraft arena schema",
            f"name: {quoted(out.stem, ensure_ascii=False)}",
            "",
            "data:",
            f"  path: {quoted(where, ensure_ascii=False)}",
            *given,
            f"  # {found.label.reason}",
            f"  label: {quoted(found.label.value, ensure_ascii=False)}",
            f"  # {found.periods.reason}",
            f"  periods: {{by: {cut.by}, n: {cut.n}, warm_up: {cut.warm_up:g}}}",
            "  # examples of this share of the users; everybody's history stays",
            f"  share: {share:g}",
            *(f"  # {one.rows:,} rows are set aside: {one.meaning}" for one in found.set_aside),
            "",
            "# null: a small model is built from the warm-up rows. Or the directory of any Hugging Face causal LM.",
            *_base(draft.epochs),
            "# what the model reads; look at it with: regraft prompt preview -c " + out.name,
            f"template: {template}",
            "# what is known of earlier events: fresh (all before the event), delayed 24h, frozen (before the period)",
            f"regime: fresh  # {found.ties:.0%} of the rows share their instant with an earlier one of their user",
            f"# {found.block.reason}",
            f"timeline: {{context: {block.context}, targets: {block.targets}}}",
            "",
            "# the ladder: cheap rungs run first, the report is written after each, Ctrl-C keeps what is there",
            "contenders:",
            *_contenders(draft.contenders),
            "# a second seed tells how much of a difference is luck, and doubles the time of strategies",
            "seeds: [0]",
            "",
        ]
    )
