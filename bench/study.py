"""Runs a study of bench/studies and writes docs/results/NAME.{md,csv}; resumable.

    python bench/study.py bench/studies/ml-1m.yaml [--runs runs] [--out docs/results]

The data file is looked up in $REGRAFT_DATA, or in ../shared/data beside the repository; a base model first in
$REGRAFT_MODELS, or in ../shared/models, then in models/, where `make smollm2` puts it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import yaml
from common import ROOT, data_file, model_folder

from regraft.arena.compare import Arena
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import markdown_table, results_csv, summarise
from regraft.report.verdict import verdict
from regraft.setup.config import ArenaConfig


def read(study: Path) -> ArenaConfig:
    """The configuration, its data path looked up in the data folder."""
    raw = yaml.safe_load(study.read_text(encoding="utf-8"))
    if "path" in raw["data"]:  # else the log is simulated
        raw["data"]["path"] = str(data_file(raw["data"]["path"]))
    base = raw.get("base", {})
    if "path" in base and (model := model_folder(base["path"])):
        base["path"] = str(model)
    return ArenaConfig.parse(raw, str(study))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    parser.add_argument("--budget", type=float, default=None, help="seconds after which no new cell is begun")
    options = parser.parse_args()
    config = read(options.study)
    folder = options.runs / config.name
    began = time.monotonic()
    arena = Arena(config, folder)
    print(arena.stream.describe(), flush=True)
    cells = len(arena.cells())
    for number, (cell, renewal) in enumerate(arena.run(options.budget), start=1):
        state = "there" if renewal is None else f"{renewal.cost.cpu_seconds:.1f} CPU s {'; '.join(renewal.notes)}"
        spent = time.monotonic() - began
        print(
            f"{number}/{cells} {spent:.0f} s {cell.contender.label} seed {cell.seed} update {cell.update}: {state}",
            flush=True,
        )
    write(config, folder, options.out, time.monotonic() - began)


def write(config: ArenaConfig, folder: Path, out: Path, seconds: float) -> None:
    """The page and the table of a study, and its report beside the run."""
    results = Results.load(folder)
    summary = summarise(results)
    run = results.run
    out.mkdir(parents=True, exist_ok=True)
    stream, base = run["stream"], run["base"] or {}
    kind = ", ".join(filter(None, (base.get("objective", "-"), base.get("original"))))
    results_csv(
        summary, out / f"{config.name}.csv",
        information=stream["information"], share=stream["share"], template=run["template"]["name"],
        base=f"{base.get('path', '-')} ({kind})", history=stream["regime"],
    )  # fmt: skip
    machine = run["machine"]
    page = [
        f"# {config.name}",
        "",
        f"`python bench/study.py bench/studies/{config.name}.yaml`",
        "",
        f"{stream['describe']}. Share of users: {stream['share']:g}. Information: {stream['information']}. "
        f"Regime: {stream['regime']}. W = {run['timeline'][0]}, H = {run['timeline'][1]}. "
        f"Template {run['template']['name']}. Base: {base.get('path', '-')}, objective {kind}, "
        f"{base.get('parameters', 0):,} weights outside the embeddings, {base.get('dtype', '-')}. "
        f"Seeds: {', '.join(map(str, run['seeds']))}. Periods scored: {run['scored_periods'][0]} to "
        f"{run['scored_periods'][-1]}. Machine: {machine['cpu']}, {machine['cores']} cores"
        f"{', ' + machine['gpu'] if 'gpu' in machine else ''}"
        f"{'' if run['finished'] else '. **The run is not finished**'}.",
        "",
        *[f"- {sentence}" for sentence in verdict(summary, "en")],
        "",
        markdown_table(summary),
        "",
        f"Last invocation: {seconds:,.0f} s of wall time (finished cells are not repeated).",
        "",
    ]
    (out / f"{config.name}.md").write_text("\n".join(page), encoding="utf-8")
    print("\n".join(page))
    print(write_report(results, folder / "report.html"))


if __name__ == "__main__":
    main()
