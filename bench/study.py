"""Runs a study of bench/studies and writes docs/results/NAME.{md,csv}; resumable.

    python bench/study.py bench/studies/ml-1m.yaml [--runs runs] [--out docs/results]

The data file is looked up in $REGRAFT_DATA, or in ../shared/data beside the repository; a base model or text encoder
first in $REGRAFT_MODELS, or in ../shared/models, then in models/, where `make smollm2` and `make minilm` put them.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from common import ROOT, data_file, model_folder
from goals import told
from in_short import in_short

from regraft.arena.compare import Arena
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import Summary, markdown_table, results_csv, summarise
from regraft.report.verdict import verdict
from regraft.setup.config import ArenaConfig


def read(study: Path) -> ArenaConfig:
    """The configuration, its data path looked up in the data folder."""
    return placed(yaml.safe_load(study.read_text(encoding="utf-8")), study)


def parts(study: Path) -> dict[str, dict[str, Any]]:
    """The runs of a study by kind: several, where it names `parts`, each with settings of its own; else one, called "".

    Parts differ in their share of the users and in their contenders: a dear one is run on fewer users.
    """
    raw = yaml.safe_load(study.read_text(encoding="utf-8"))
    given = raw.pop("parts", None)
    if given is None:
        return {"": raw}
    return {kind: _joined(raw, {"name": f"{raw['name']}-{kind}"} | own) for kind, own in given.items()}


def _joined(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Settings of a part: sections are joined, all else is replaced."""
    sections = {key: common[key] | own[key] for key in own if isinstance(own[key], dict) and key in common}
    return copy.deepcopy(common | own | sections)


def placed(raw: dict[str, Any], study: Path) -> ArenaConfig:
    """The configuration of a run, its log, base model and text encoders looked up where they lie."""
    if "path" in raw["data"]:  # else the log is simulated
        raw["data"]["path"] = str(data_file(raw["data"]["path"]))
    base = raw.get("base", {})
    if "path" in base and (model := model_folder(base["path"])):
        base["path"] = str(model)
    for contender in raw.get("contenders", ()):
        settings = contender.get("settings", {}) if isinstance(contender, dict) else {}
        kind, _, name = str(settings.get("similarity", "")).partition(":")
        if kind == "encoder":
            settings["similarity"] = f"encoder:{model_folder(name) or ROOT / 'models' / name}"
    return ArenaConfig.parse(raw, str(study))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    parser.add_argument("--only", nargs="+", default=None, help="kinds to run; the page shows all that are there")
    parser.add_argument("--budget", type=float, default=None, help="seconds after which no new cell is begun")
    options = parser.parse_args()
    folders = {}
    for kind, raw in parts(options.study).items():
        folders[kind] = options.runs / raw.get("name", "arena")
        if options.only is None or kind in options.only:
            run(placed(raw, options.study), folders[kind], options.budget)
    write(options.study, folders, options.out)


def run(config: ArenaConfig, folder: Path, budget: float | None) -> None:
    """One arena, cell by cell."""
    began = time.monotonic()
    arena = Arena(config, folder)
    print(arena.stream.describe(), flush=True)
    cells = len(arena.cells())
    for number, (cell, renewal) in enumerate(arena.run(budget), start=1):
        state = "there" if renewal is None else f"{renewal.cost.cpu_seconds:.1f} CPU s {'; '.join(renewal.notes)}"
        spent = time.monotonic() - began
        print(
            f"{number}/{cells} {spent:.0f} s {cell.contender.label} seed {cell.seed} update {cell.update}: {state}",
            flush=True,
        )


def write(study: Path, folders: dict[str, Path], out: Path) -> None:
    """The page and the table of a study, and the report of each of its runs beside the run.

    A part whose run is not on this machine keeps what an earlier page says of it.
    """
    out.mkdir(parents=True, exist_ok=True)
    page, tables = [], []
    sections, rows = _earlier(out, study.stem)
    for kind, folder in folders.items():
        if not (folder / "run.json").is_file():
            if kind in sections:
                page += sections[kind]
                tables.append(rows.filter(pl.col("part") == kind))
            continue
        results = Results.load(folder)
        summary = summarise(results)
        run, table = results.run, folder / "table.csv"
        stream, base = run["stream"], run["base"] or {}
        objective = ", ".join(filter(None, (base.get("objective", "-"), base.get("original"))))
        results_csv(
            summary, table,
            information=stream["information"], share=stream["share"], template=run["template"]["name"],
            base=f"{base.get('path', '-')} ({objective})", history=stream["regime"],
        )  # fmt: skip
        tables.append(pl.read_csv(table, infer_schema=False).with_columns(part=pl.lit(kind or "all")))
        page += _section(kind, results, summary, objective)
        print(write_report(results, folder / "report.html"))
    joined = pl.concat(tables, how="diagonal")
    head = [f"# {study.stem}", "", f"`python bench/study.py bench/studies/{study.name}`", ""]
    page = head + (in_short(parts(study), joined) if "" not in folders else []) + page
    (joined if len(folders) > 1 or "" not in folders else joined.drop("part")).write_csv(out / f"{study.stem}.csv")
    (out / f"{study.stem}.md").write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")
    print("\n".join(page))


def _earlier(out: Path, name: str) -> tuple[dict[str, list[str]], pl.DataFrame]:
    """The sections of the page that is there, by kind, and the rows of its table."""
    page, table = out / f"{name}.md", out / f"{name}.csv"
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines() if page.is_file() else []:
        if line.startswith("## "):
            sections[line[3:]] = lines = []
        lines.append(line)
    rows = pl.read_csv(table, infer_schema=False) if table.is_file() else pl.DataFrame()
    return sections if "part" in rows.columns else {}, rows


def _section(kind: str, results: Results, summary: Summary, objective: str) -> list[str]:
    """What one run of a study says: what was run, the verdict, goals, the table."""
    run, stream, base, machine = results.run, results.run["stream"], results.run["base"] or {}, results.run["machine"]
    return [
        *([f"## {kind}", ""] if kind else []),
        f"{stream['describe']}. Share of users: {stream['share']:g}. Information: {stream['information']}. "
        f"Regime: {stream['regime']}. W = {run['timeline'][0]}, H = {run['timeline'][1]}. "
        f"Template {run['template']['name']}. Base: {base.get('path', '-')}, objective {objective}, "
        f"{base.get('parameters', 0):,} weights outside the embeddings, {base.get('dtype', '-')}. "
        f"Seeds: {', '.join(map(str, run['seeds']))}. Periods scored: {run['scored_periods'][0]} to "
        f"{run['scored_periods'][-1]}. Machine: {machine['cpu']}, {machine['cores']} cores"
        f"{', ' + machine['gpu'] if 'gpu' in machine else ''}"
        f"{'' if run['finished'] else '. **The run is not finished**'}.",
        "",
        *[f"- {sentence}" for sentence in verdict(summary, "en")],
        *told(results),
        "",
        markdown_table(summary),
        "",
    ]


if __name__ == "__main__":
    main()
